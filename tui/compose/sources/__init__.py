"""Where rows come from: tables, JSON, texts, databases, programs and ready-made requests."""

from tui.compose.sources.opening import open_source, runs_code
from tui.compose.sources.source import Row, Source

__all__ = ["Row", "Source", "open_source", "runs_code"]
