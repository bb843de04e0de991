"""What to do about a refused call: from what was being done, what was said, and the profile.

Where these do not tell, there is no hint: one made from the status alone is wrong half of the time.
"""

from __future__ import annotations

import re

_NO_ROUTE = re.compile(
    r"(?i)^(?:not found\.?|http status 40[45]|invalid url\b.*|no route\b.*|method not allowed\.?"
    r"|404 page not found|cannot (?:get|post|delete) /.*|unknown (?:endpoint|route|url)\b.*)$"
)
_WINDOW = re.compile(r"(?i)\b(?:completion[ _]?window|window)\b")
_MODEL = re.compile(
    r"(?i)\bmodel\b.{0,120}\b(?:not|no|unknown|unsupported|invalid)\b|no such model"
)

_SENDING = ("store the file", "create the batch")
_DELETING = ("delete the file", "delete the batch")


def hint_for(what: str, status: int, message: str, *, windows: tuple[str, ...] = ()) -> str:
    """The hint for a refused call; empty if nothing is known to help.

    Args:
        what: The action, as in "failed to WHAT".
        status: The HTTP status.
        message: What the provider said.
        windows: The completion windows that the profile knows, if the account takes only these.
    """
    if status == 413:
        return "Split the file into smaller batches: `batchdeck check FILE --split-to DIR`."
    if status in (405, 501) or (status == 404 and _NO_ROUTE.match(message.strip())):
        return _without_route(what)
    if status in (404, 410):
        if what in _SENDING:
            return _model_hint(message)
        if what == "cancel the batch":
            return "The provider no longer has this batch, or cannot cancel it."
        return "The provider no longer has it; results and files are kept for a limited time."
    if status == 409 and what not in _SENDING:
        return "Check the status of the batch; it may be too late or too early for this."
    if status in (400, 422) and what == "create the batch" and _WINDOW.search(message) and windows:
        return f"This account takes the windows {', '.join(windows)}: use --window."
    return _model_hint(message)


def _without_route(what: str) -> str:
    """The hint for a call that this server does not have."""
    if what in _DELETING:
        return "This server cannot delete it; without --remote it is deleted here only."
    if what == "cancel the batch":
        return "This server cannot cancel batches."
    if what in ("list batches", "list models", "estimate the cost", "count the tokens"):
        return "This server does not have that call; everything else may work."
    if what in _SENDING:
        return "Check base_url (most end in /v1): there is no batch API at this address."
    return "Check base_url, and whether the provider still has it."


def _model_hint(message: str) -> str:
    if _MODEL.search(message):
        return "Choose a model that this account offers for batches: `batchdeck accounts test`."
    return ""
