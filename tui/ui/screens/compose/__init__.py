"""The Compose pane, and the steps that it leads through."""

from tui.ui.screens.compose.pane import ComposePane

__all__ = ["ComposePane"]
