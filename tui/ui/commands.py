"""The one table of commands: bindings, footer, palette, help and keymap are made from it.

To add a command, add an entry here (one of all tables to ``tui.ui.tablecommands``) and an
``action_<id>`` method to what its scope names.
"""

from __future__ import annotations

from textual.binding import Binding, BindingType

from tui.ui.command import Command, Scope
from tui.ui.tablecommands import TABLE_COMMANDS

__all__ = ["BY_ID", "COMMANDS", "Command", "Scope", "bindings", "by_action", "of_scope"]


_M, _C, _B, _R = Scope.MAIN, Scope.COMPOSE, Scope.BATCHES, Scope.RESULTS

COMMANDS: tuple[Command, ...] = (
    *TABLE_COMMANDS,
    Command(
        "pick_file",
        "File",
        "f,f3",
        "Choose a table, a text or a file of requests.",
        (_C,),
        (_C,),
    ),
    Command("submit", "Submit", "S,f8", "Send the requests, after asking.", (_C, _B), (_C,)),
    Command(
        "try_row",
        "Try",
        "t,f5",
        "Send one request at once, and show its answer.",
        (_C,),
        (_C,),
    ),
    Command("fix", "Fix", "F,f6", "Mend what a check found; the file stays.", (_C,), (_C,)),
    Command(
        "fixes", "More fixes", "", "Number ids anew, set a model or lengths, split the file.", (_C,)
    ),
    Command("templates", "Templates", "P,f2", "Load, save or delete a template.", (_C,), (_C,)),
    Command("edit_request", "Edit", "E,f4", "Write one request by hand, as JSON.", (_C,)),
    Command("sample_first", "Sample 20 first", "", "Send 20 rows; the others wait.", (_C,)),
    Command(
        "check", "Check", "ctrl+r", "Write the requests and check them, or check again.", (_C,)
    ),
    Command("next_preview", "Next preview", "ctrl+g", "Show another of the three rows.", (_C,)),
    Command("next_kind", "Next kind", "ctrl+t", "Choose the next kind of request.", (_C,)),
    Command("outside", "Text in editor", "ctrl+o", "Write the text in $VISUAL or $EDITOR.", (_C,)),
    Command(
        "new",
        "New",
        "n",
        "Start a new job from a file of requests.",
        (_M,),
        (_B,),
        action="app.new",
    ),
    Command(
        "filter",
        "Filter",
        "slash",
        "Show only what contains a text; esc clears.",
        (_B, _R),
        (_B, _R),
    ),
    Command(
        "errors_only",
        "Errors",
        "e",
        "Show only what ended without an answer, or all again.",
        (_B, _R),
        (_R,),
    ),
    Command(
        "retry",
        "Retry",
        "r",
        "Send the rows without an answer again, after asking.",
        (_B, _R),
        (_B, _R),
    ),
    Command(
        "retry_edit",
        "Retry with edit",
        "R",
        "Send rows again, changed: model, max_tokens, any field, more system text.",
        (_B, _R),
    ),
    Command(
        "cancel", "Cancel", "c", "Stop the batch at the provider, after asking.", (_B, _R), (_B,)
    ),
    Command(
        "export",
        "Export",
        "x",
        "Write the rows to a file: JSON lines, table, database or report.",
        (_B, _R),
        (_B, _R),
    ),
    Command(
        "summary",
        "Look at the whole",
        "u",
        "Look at the whole job: tokens, cost, pace, labels and lengths, as plots.",
        (_B, _R),
    ),
    Command(
        "compare",
        "Compare",
        "equals_sign",
        "Compare two jobs row by row: those marked with space, or choose.",
        (_B,),
    ),
    Command("collect", "Collect", "ctrl+r", "Fetch what the provider has now.", (_B, _R)),
    Command(
        "delete", "Delete", "D,delete", "Remove the job from the history, after asking.", (_B,)
    ),
    Command(
        "remote",
        "Provider's list",
        "P",
        "See which batches the provider has, and bring one in.",
        (_B,),
    ),
    Command("details", "Details", "i", "Show all facts about the job, to copy or post.", (_B,)),
    Command("tags", "Tags", "t", "Write tags on the job, to find it by.", (_B,)),
    Command("note", "Note", "N", "Write a note on the job.", (_B,)),
    Command("accounts", "Accounts", "a", "List the jobs of one account, or of all.", (_B,)),
    Command("next_row", "Next", "n", "Show the next row.", (_R,), (_R,)),
    Command("previous_row", "Previous", "p", "Show the row before.", (_R,), (_R,)),
    Command("view", "JSON", "w", "Show request and answer as text, or as JSON.", (_R,), (_R,)),
    Command("attempt", "Attempt", "a", "Show another attempt at the row.", (_R,), (_R,)),
    Command(
        "groups",
        "Error groups",
        "E",
        "Go to the groups of errors: enter shows the rows of one, r sends them again.",
        (_R,),
    ),
    Command("filters", "Filters", "F", "Keep the filter by a name, or recall one.", (_R,)),
    Command("columns", "Columns", "C", "Choose the columns of the rows, and their order.", (_R,)),
    Command("narrower", "Narrower", "less_than_sign", "Make the chosen column narrower.", (_R,)),
    Command("wider", "Wider", "greater_than_sign", "Make the chosen column wider.", (_R,)),
    Command("save_media", "Save files", "i", "Save the images and sounds of the answer.", (_R,)),
    Command(
        "schema",
        "Schema",
        "J",
        "Check the answers by their JSON schema, or by one from a file.",
        (_R,),
    ),
    Command("copy", "Copy", "y", "Copy the id, or the row, to the clipboard.", (_B, _R)),
    Command("editor", "Editor", "o", "Open the text in $VISUAL or $EDITOR.", (_C, _R)),
    Command("pager", "Pager", "v", "Read the whole text in $PAGER.", (_C, _R)),
    Command("compose", "Compose", "1", "Go to Compose.", (_M,), action="show('compose')"),
    Command("batches", "Batches", "2", "Go to Batches.", (_M,), action="show('batches')"),
    Command("results", "Results", "3", "Go to Results.", (_M,), action="show('results')"),
    Command(
        "back",
        "Back",
        "escape",
        "Go back one level, or clear the filter.",
        (_M, _R),
        (_R,),
    ),
    Command(
        "sample",
        "Sample",
        "T",
        "Make a sample file for the sandbox: free, without a key.",
        (_M,),
        action="app.sample",
    ),
    Command(
        "settings",
        "Settings",
        "comma",
        "Change theme, density, budget, notifications and more.",
        (_M,),
        action="app.settings",
    ),
    Command("theme", "Theme", "", "Choose other colours.", (_M,), action="app.theme"),
    Command(
        "log",
        "Log",
        "L",
        "Show what the program did, and what went wrong.",
        (_M,),
        action="app.log",
    ),
    Command(
        "palette",
        "Commands",
        "ctrl+p,colon",
        "Find a command by its name.",
        (_M,),
        in_palette=False,
        action="app.command_palette",
    ),
    Command(
        "help", "Help", "question_mark,f1", "Show all keys.", (_M,), (_C, _B, _R), action="app.help"
    ),
    Command(
        "quit", "Quit", "q", "Leave; batches go on at the provider.", (_M,), (_C,), action="leave"
    ),
)
"""All commands; the order within a scope is the order in the footer and in help."""

BY_ID: dict[str, Command] = {command.id: command for command in COMMANDS}
"""Command id to command."""


def of_scope(scope: Scope) -> list[Command]:
    """The commands of one scope."""
    return [command for command in COMMANDS if scope in command.scopes]


def by_action(scope: Scope, action: str) -> Command | None:
    """The command of a scope that an action belongs to."""
    for command in COMMANDS:
        if scope in command.scopes and command.action_name == action:
            return command
    return None


def bindings(scope: Scope) -> list[BindingType]:
    """The bindings of one scope; also those of everywhere that its footer shows."""
    made: list[BindingType] = []
    for command in COMMANDS:
        own = scope in command.scopes
        shown = scope in command.footer
        if command.keys and (own or shown):
            made.append(
                Binding(
                    command.keys,
                    _action_for(command, own),
                    command.title,
                    show=shown,
                    tooltip=command.help,
                    id=command.id,
                )
            )
    return made


def _action_for(command: Command, own: bool) -> str:
    """The action of a binding; from a pane, what is not its own is the screen's or the app's."""
    if own or "." in command.action_string:
        return command.action_string
    return f"screen.{command.action_string}"
