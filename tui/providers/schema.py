"""The shape of a profile: what a provider's TOML table may say.

``tui.providers.wireform`` holds the sections about the wire; here are what a provider allows
and costs, and the profile itself.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

from tui.core.refusals import Need, Refusal, is_path
from tui.providers.wireform import (
    Auth,
    BatchPlaces,
    Content,
    Count,
    Create,
    Listing,
    Paths,
    RowForm,
    Seconds,
    Section,
    Upload,
)

DialectName = Literal["files", "messages", "scaledown", "inline"]


class Limits(Section, frozen=True):
    """What one batch may hold; 0 or ``""`` is no limit that is known."""

    rows: Count = 0
    min_rows: Count = 0
    bytes: Count = 0
    line_bytes: Count = 0
    one_model: bool = False
    custom_id_max: Count = 0
    custom_id_pattern: str = ""


class Poll(Section, frozen=True):
    """How often to ask, in seconds, and how long a 404 after a create means "not yet"."""

    min_seconds: Seconds = 30
    max_seconds: Seconds = 300
    grace_404_seconds: Seconds = 60


class Quota(Section, frozen=True):
    """How a provider says that its queue is full, or that the account's money is.

    ``codes`` and ``text`` (anywhere in the answer, any case): nothing ran, the same batch can
    be sent later. ``limit_codes`` and ``limit_text``: a person has to act first.
    """

    codes: tuple[str, ...] = ("token_limit_exceeded",)
    text: tuple[str, ...] = ("enqueued token limit",)
    limit_codes: tuple[str, ...] = ("insufficient_quota", "billing_hard_limit_reached")
    limit_text: tuple[str, ...] = ()


class Price(Section, frozen=True):
    """Batch prices of a model per million tokens, in the profile's currency.

    ``windows`` holds those of other completion windows.
    """

    input: Seconds
    output: Seconds
    cached: Seconds | None = None
    windows: dict[str, Price] = msgspec.field(default_factory=dict)


class Prices(Section, frozen=True):
    """Where prices come from.

    ``batch_discount`` is the part taken off the ordinary price (0.5 is half), ``None``
    unknown; it counts only where the price table has no batch price. ``overrides`` win over
    everything; ``model_alias`` maps a deployment's name to the model of the table.
    """

    genai_prices_id: str = ""
    currency: str = "USD"
    batch_discount: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    overrides: dict[str, Price] = msgspec.field(default_factory=dict)
    model_alias: dict[str, str] = msgspec.field(default_factory=dict)


class Can(Section, frozen=True):
    """What the provider can do beyond sending, watching and reading.

    ``guard_cancel``: look before a cancel, because it would also hit a batch that has ended.
    ``ask``: answer a single request at the row's own path, outside any batch.
    """

    cancel: bool = True
    guard_cancel: bool = False
    delete_file: bool = True
    delete_batch: bool = False
    partial_results: bool = False
    list: bool = True
    native_retry: bool = False
    models: bool = True
    ask: bool = True


class Http(Section, frozen=True):
    """Patience with the wire: tries of a repeatable call, and seconds of silence.

    ``send_seconds`` is for uploads and creates, which a server may check at length.
    ``first_pause`` stands before the second try, and doubles from there on.
    """

    attempts: Annotated[int, msgspec.Meta(ge=1, le=10)] = 4
    read_seconds: Seconds = 60
    send_seconds: Seconds = 300
    first_pause: Seconds = 0.5


class Messages(Section, frozen=True):
    """Only for the ``messages`` dialect: the pinned API version and beta features."""

    version: str = "2023-06-01"
    beta: tuple[str, ...] = ()


class Profile(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"listing": "list"},
):
    """A provider as data: everything that differs from OpenAI's API.

    ``models`` are all that there are, where they never change. ``refuses`` and ``needs`` are
    what a row may not hold, or has to, as far as the check before a submit can tell.
    ``direct``: there are no batches; rows are sent one by one (``tui.providers.direct``).
    """

    id: str
    name: str
    dialect: DialectName = "files"
    direct: bool = False
    base_url: str = ""
    docs: str = ""
    notes: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ("/v1/chat/completions",)
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    retention_days: Count | None = None
    retry_codes: dict[str, bool] = {}
    auth: Auth = Auth()
    paths: Paths = Paths()
    upload: Upload = Upload()
    row: RowForm = RowForm()
    create: Create = Create()
    batch: BatchPlaces = BatchPlaces()
    listing: Listing = Listing()
    content: Content = Content()
    limits: Limits = Limits()
    poll: Poll = Poll()
    quota: Quota = Quota()
    prices: Prices = Prices()
    can: Can = Can()
    http: Http = Http()
    messages: Messages = Messages()
    models: tuple[str, ...] = ()
    refuses: tuple[Refusal, ...] = ()
    needs: tuple[Need, ...] = ()

    @property
    def env(self) -> tuple[str, ...]:
        """The variables that usually hold the key."""
        return self.auth.env

    @property
    def needs_key(self) -> bool:
        """Does nothing work without a key?"""
        return self.auth.required

    @property
    def windows(self) -> tuple[str, ...]:
        """The completion windows to offer, the default first."""
        return self.create.window.values


def complaint(profile: Profile) -> tuple[str, str] | None:
    """What the types cannot say: the key that is wrong and why; ``None`` when all is well."""
    pattern = profile.limits.custom_id_pattern
    try:
        re.compile(pattern)
    except re.error as error:
        return "limits.custom_id_pattern", f"is not a regular expression ({error})"
    rules = [(rule.models, rule.fields) for rule in profile.refuses]
    rules += [(rule.models, rule.fields) for rule in profile.needs]
    for models, fields in rules:
        try:
            re.compile(models)
        except re.error as error:
            return "models of a rule", f"is not a regular expression ({error})"
        if not fields or not all(map(is_path, fields)):
            return "fields of a rule", f"are no paths: {list(fields)}"
    for name in ("file", "content", "file_delete", "get", "cancel", "delete", "results"):
        route = getattr(profile.paths, name)
        if route and "{id}" not in route:
            return f"paths.{name}", "has no {id} in it"
    if profile.poll.max_seconds < profile.poll.min_seconds:
        return "poll.max_seconds", "is less than poll.min_seconds"
    if profile.base_url and not profile.base_url.startswith(("https://", "http://")):
        return "base_url", "does not start with https:// or http://"
    if not profile.auth.header:
        return "auth.header", "is empty"
    return None
