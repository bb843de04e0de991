"""A batch provider that runs locally: simulated answers, realistic wire behaviour, no API key.

`create_app` returns the ASGI app, `tui.sandbox.serve.serve` runs it on a port, and `LocalSandbox`
runs it on a Unix domain socket in a thread of this process. Importing this package loads neither
starlette nor uvicorn; the public names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.sandbox.app import create_app as create_app
    from tui.sandbox.options import SandboxOptions as SandboxOptions
    from tui.sandbox.serve import LocalSandbox as LocalSandbox

_MODULES = {
    "create_app": "tui.sandbox.app",
    "LocalSandbox": "tui.sandbox.serve",
    "SandboxOptions": "tui.sandbox.options",
}

__all__ = ["LocalSandbox", "SandboxOptions", "create_app"]


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
