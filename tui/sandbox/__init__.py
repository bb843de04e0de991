"""A provider that runs on this machine: simulated answers, real wire behaviour, no key.

Importing this package loads neither starlette nor uvicorn; the names below are loaded on first
use. `create_app` gives the ASGI app, `serve` runs it on a port, `LocalSandbox` runs it on a
Unix domain socket in a thread of this process.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .app import create_app as create_app
    from .local import LocalSandbox as LocalSandbox
    from .options import SandboxOptions as SandboxOptions

_HOMES = {
    "create_app": ".app",
    "LocalSandbox": ".local",
    "SandboxOptions": ".options",
}

__all__ = ["LocalSandbox", "SandboxOptions", "create_app"]


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
