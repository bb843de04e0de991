"""The one table of commands: keys, help, footers, the palette and the keymap are made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from enum import Enum

from textual.binding import Binding, BindingType


class Scope(Enum):
    """The part of the dashboard where a command's keys work; the value is its heading in help."""

    MAIN = "Everywhere"
    COMPOSE = "Compose"
    BATCHES = "Batches"
    RESULTS = "Results"
    TABLE = "Tables"
    SUMMARY = "Summary"
    COMPARE = "Comparison"
    REVIEW = "Review"
    FACETS = "Values of a column"
    PIVOT = "Pivot table"
    EVALUATION = "Evaluation"
    COSTS = "Costs"
    EXPERIMENT = "Experiment"


@dataclass(frozen=True)
class Command:
    """An action that the user can run by key or from the palette.

    Attributes:
        id: Its name in the keymap of ``config.toml``.
        title: Its name in footer and palette.
        keys: Its keys, comma-separated, as in a keymap.
        scopes: Where it works.
        help: What it does, as a sentence.
        footer: The scopes whose footer shows it; at most seven commands fit in 80 columns.
        action: The action string, if it is not the id.
        in_palette: Whether the palette offers it.
    """

    id: str
    title: str
    keys: str
    _: KW_ONLY
    scopes: tuple[Scope, ...]
    help: str
    footer: tuple[Scope, ...] = ()
    action: str = ""
    in_palette: bool = True


MAIN, COMPOSE, BATCHES, RESULTS = Scope.MAIN, Scope.COMPOSE, Scope.BATCHES, Scope.RESULTS
TABLE, SUMMARY, COMPARE, REVIEW = Scope.TABLE, Scope.SUMMARY, Scope.COMPARE, Scope.REVIEW
FACETS, PIVOT = Scope.FACETS, Scope.PIVOT
EVALUATION, COSTS, EXPERIMENT = Scope.EVALUATION, Scope.COSTS, Scope.EXPERIMENT

# fmt: off
COMMANDS: tuple[Command, ...] = (
    # In every list.
    Command("open", "Open", "enter", scopes=(TABLE,), footer=(TABLE,),
            action="open_row", help="Open the job or row under the cursor."),
    Command("mark", "Mark", "space", scopes=(TABLE,), footer=(TABLE,),
            action="toggle_mark", help="Mark or unmark the row."),
    Command("mark_range", "Mark range", "M", scopes=(TABLE,),
            help="Mark the rows from the last mark to the cursor."),
    Command("mark_all", "Mark all", "A", scopes=(TABLE,),
            help="Mark all rows shown, or unmark them."),
    Command("invert_marks", "Invert marks", "I", scopes=(TABLE,),
            help="Invert the marks."),
    Command("sort", "Sort", "s", scopes=(TABLE,),
            help="Sort by the selected column; again to reverse."),
    Command("next_column", "Next column", "right,l", scopes=(TABLE,),
            action="column(1)", in_palette=False, help="Select the next column to sort by."),
    Command("previous_column", "Previous column", "left,h", scopes=(TABLE,),
            action="column(-1)", in_palette=False, help="Select the previous column to sort by."),
    Command("down", "Down", "down,j", scopes=(TABLE,),
            action="cursor_down", in_palette=False, help="Move down one row."),
    Command("up", "Up", "up,k", scopes=(TABLE,),
            action="cursor_up", in_palette=False, help="Move up one row."),
    Command("page_down", "Page down", "pagedown,ctrl+f", scopes=(TABLE,),
            action="page(1)", in_palette=False, help="Move down one page."),
    Command("page_up", "Page up", "pageup,ctrl+b", scopes=(TABLE,),
            action="page(-1)", in_palette=False, help="Move up one page."),
    Command("half_down", "Half a page down", "ctrl+d", scopes=(TABLE,),
            action="page(0.5)", in_palette=False, help="Move down half a page."),
    Command("half_up", "Half a page up", "ctrl+u", scopes=(TABLE,),
            action="page(-0.5)", in_palette=False, help="Move up half a page."),
    Command("top", "First row", "home,g", scopes=(TABLE,),
            action="cursor_top", in_palette=False, help="Go to the first row."),
    Command("bottom", "Last row", "end,G", scopes=(TABLE,),
            action="cursor_bottom", in_palette=False, help="Go to the last row."),
    # In the panes.
    Command("pick_file", "File", "f,f3", scopes=(COMPOSE,), footer=(COMPOSE,),
            help="Choose a table, a text file or a request file."),
    Command("submit", "Submit", "S,f8", scopes=(COMPOSE, BATCHES), footer=(COMPOSE,),
            help="Submit the requests (asks first)."),
    Command("try_row", "Try", "t,f5", scopes=(COMPOSE,), footer=(COMPOSE,),
            help="Send one request now and show its answer."),
    Command("fix", "Fix", "F,f6", scopes=(COMPOSE,), footer=(COMPOSE,),
            help="Fix problems in a copy; your file is not changed."),
    Command("fixes", "Other fixes", "", scopes=(COMPOSE,),
            help="Renumber ids, set the model or max_tokens, split the file."),
    Command("make_experiment", "Experiment", "X,f7", scopes=(COMPOSE,), footer=(COMPOSE,),
            help="Choose several models and templates, to submit them together over the table."),
    Command("templates", "Templates", "P,f2", scopes=(COMPOSE,), footer=(COMPOSE,),
            help="Load, save or delete a template."),
    Command("edit_request", "Edit", "E,f4", scopes=(COMPOSE,),
            help="Edit one request as JSON."),
    Command("sample_first", "Sample first", "", scopes=(COMPOSE,),
            help="Submit some random rows first; the others wait as a draft."),
    Command("check", "Check", "ctrl+r", scopes=(COMPOSE,),
            help="Write the requests and check them; again to recheck."),
    Command("next_preview", "Next preview", "ctrl+g", scopes=(COMPOSE,),
            help="Preview another of the three sample rows."),
    Command("next_kind", "Next kind", "ctrl+t", scopes=(COMPOSE,),
            help="Switch to the next kind of request."),
    Command("outside", "Text in editor", "ctrl+o", scopes=(COMPOSE,),
            help="Edit the text in $VISUAL or $EDITOR."),
    Command("new", "New", "n", scopes=(MAIN,), footer=(BATCHES,),
            action="app.new", help="Choose a file for a new job."),
    Command("filter", "Filter", "slash", scopes=(BATCHES, RESULTS), footer=(BATCHES, RESULTS),
            help="Filter the list; esc clears the filter."),
    Command("errors_only", "Errors", "e", scopes=(BATCHES, RESULTS), footer=(RESULTS,),
            help="Toggle errors only."),
    Command("retry", "Retry", "r", scopes=(BATCHES, RESULTS), footer=(BATCHES, RESULTS),
            help="Retry failed rows (asks first)."),
    Command("retry_edit", "Edit and retry", "R", scopes=(BATCHES, RESULTS),
            help="Edit failed rows and retry: model, max_tokens, any field, extra system text."),
    Command("cancel", "Cancel", "c", scopes=(BATCHES, RESULTS), footer=(BATCHES,),
            help="Cancel the job at the provider (asks first)."),
    Command("export", "Export", "x", scopes=(BATCHES, RESULTS), footer=(BATCHES, RESULTS),
            help="Export rows to a file: JSON lines, table, database or report."),
    Command("compose_rows", "New job from rows", "N", scopes=(RESULTS,),
            help="Make a new job from the marked rows, else the rows of the filter, else all "
                 "answers: translate, judge, follow up."),
    Command("summary", "Summary", "u", scopes=(BATCHES, RESULTS),
            help="Show a summary of the job: tokens, cost, throughput, labels and "
                 "lengths, as plots."),
    Command("evaluate", "Evaluate", "U", scopes=(BATCHES, RESULTS),
            help="Compare answers with true values: accuracy, each class, confusion matrix."),
    Command("compare", "Compare", "equals_sign", scopes=(BATCHES,),
            help="Compare jobs row by row: mark two or more with space, or choose one."),
    Command("experiment", "Experiment", "X", scopes=(BATCHES,),
            help="Compare the models and templates of the experiment of the job."),
    Command("costs", "Costs", "dollar_sign", scopes=(BATCHES,),
            help="Show where the money went: billed, reserved and saved, by month or group."),
    Command("collect", "Collect", "ctrl+r", scopes=(BATCHES, RESULTS),
            help="Download the results that are available now."),
    Command("delete", "Delete", "D,delete", scopes=(BATCHES,),
            help="Delete the job from the history (asks first)."),
    Command("remote", "Provider's list", "P", scopes=(BATCHES,),
            help="List the provider's batches; import one."),
    Command("details", "Details", "i", scopes=(BATCHES,),
            help="Show job details, to copy or share."),
    Command("deadline", "Deadline", "d", scopes=(BATCHES,),
            help="Set a time at which the batches are cancelled, and the rest is sent one by one."),
    Command("tags", "Tags", "t", scopes=(BATCHES,),
            help="Edit the tags of the job."),
    Command("note", "Note", "N", scopes=(BATCHES,),
            help="Edit the note of the job."),
    Command("accounts", "Accounts", "a", scopes=(BATCHES,),
            help="List the jobs of one account, or of all."),
    Command("sections", "Sections", "F", scopes=(BATCHES,),
            help="Choose a section of the list, keep the filter as one, or remove one."),
    Command("next_section", "Next section", "right_square_bracket", scopes=(BATCHES,),
            in_palette=False, help="Show the next section of the list."),
    Command("previous_section", "Previous section", "left_square_bracket", scopes=(BATCHES,),
            in_palette=False, help="Show the section before."),
    Command("next_row", "Next", "n", scopes=(RESULTS,), footer=(RESULTS,),
            help="Show the next row."),
    Command("previous_row", "Previous", "p", scopes=(RESULTS,), footer=(RESULTS,),
            help="Show the previous row."),
    Command("view", "Text/JSON", "w", scopes=(RESULTS,), footer=(RESULTS,),
            help="Show request and answer as JSON, or as text."),
    Command("attempt", "Attempt", "a", scopes=(RESULTS,), footer=(RESULTS,),
            help="Show another attempt of the row."),
    Command("groups", "Error groups", "E", scopes=(RESULTS,),
            help="Go to the error groups: enter shows the rows of one, r retries them."),
    Command("views", "Views", "F", scopes=(RESULTS,),
            help="Save filter, order and columns as a view, or use a saved one of any job."),
    Command("columns", "Columns", "C", scopes=(RESULTS,),
            help="Choose the columns and their order, or add one that is computed from others."),
    Command("facets", "Facet", "f", scopes=(RESULTS,),
            help="Count the values of the selected column, and filter by them."),
    Command("sort_within", "Sort within", "S", scopes=(RESULTS,),
            help="Keep the order, and sort rows with equal values by the selected column."),
    Command("narrower", "Narrower", "less_than_sign", scopes=(RESULTS,),
            help="Make the chosen column narrower."),
    Command("wider", "Wider", "greater_than_sign", scopes=(RESULTS,),
            help="Make the chosen column wider."),
    Command("review", "Review", "V", scopes=(RESULTS,),
            help="Review answers one by one: the marked rows, those shown, all, or a sample."),
    Command("save_media", "Images", "i", scopes=(RESULTS,),
            help="Save the images and audio of the answer; with the extra `images`, look first."),
    Command("schema", "Schema", "J", scopes=(RESULTS,),
            help="Check the answers against their JSON schema, or against one from a file."),
    Command("copy", "Copy", "y", scopes=(BATCHES, RESULTS),
            help="Copy the id or the row to the clipboard."),
    Command("editor", "Editor", "o", scopes=(COMPOSE, RESULTS),
            help="Open the text in $VISUAL or $EDITOR."),
    Command("pager", "Pager", "v", scopes=(COMPOSE, RESULTS),
            help="Show the whole text in $PAGER."),
    Command("compose", "Compose", "1", scopes=(MAIN,),
            action="show('compose')", help="Go to Compose."),
    Command("batches", "Batches", "2", scopes=(MAIN,),
            action="show('batches')", help="Go to Batches."),
    Command("results", "Results", "3", scopes=(MAIN,),
            action="show('results')", help="Go to Results."),
    Command("back", "Back", "escape", scopes=(MAIN, RESULTS), footer=(COMPOSE, RESULTS),
            help="Go back one level, or clear the filter."),
    Command("sample", "Sample", "T", scopes=(MAIN,),
            action="app.sample", help="Create a sample file for the sandbox (free, no key)."),
    Command("add_account", "Add account", "", scopes=(MAIN,),
            action="app.add_account", help="Add an account with its API key, and test it."),
    Command("set_key", "API key", "", scopes=(MAIN,),
            action="app.set_key", help="Give an account an API key, and test it."),
    Command("settings", "Settings", "comma", scopes=(MAIN,),
            action="app.settings", help="Change theme, density, budget, notifications and more."),
    Command("theme", "Theme", "", scopes=(MAIN,),
            action="app.theme", help="Choose a colour theme."),
    Command("log", "Log", "L", scopes=(MAIN,),
            action="app.log", help="Show the activity log, with errors."),
    Command("palette", "Commands", "ctrl+p,colon", scopes=(MAIN,),
            action="app.command_palette", in_palette=False, help="Find a command by name."),
    Command("help", "Help", "question_mark,f1", scopes=(MAIN,),
            footer=tuple(scope for scope in Scope if scope not in (MAIN, TABLE)),
            action="app.help", help="Show all keys."),
    Command("skip_step", "Skip step", "f9", scopes=(MAIN,),
            help="Go on to the next step of the tour (batchdeck tour)."),
    Command("leave_tour", "Leave tour", "f12", scopes=(MAIN,),
            help="Close the panel of the tour; the dashboard stays open."),
    Command("quit", "Quit", "q", scopes=(MAIN,), footer=(COMPOSE,),
            action="leave", help="Quit; batches keep running at the provider."),
    # On screens of their own, which the palette does not reach.
    Command("close_summary", "Back", "escape,q,u", scopes=(SUMMARY,), footer=(SUMMARY,),
            action="leave", in_palette=False, help="Stop reading, or close the summary."),
    Command("field", "Field", "f", scopes=(SUMMARY,), footer=(SUMMARY,),
            in_palette=False, help="Choose the field whose values and words are counted."),
    Command("stop_words", "Stop words", "w", scopes=(SUMMARY,), footer=(SUMMARY,),
            in_palette=False, help="Exclude English stop words, or include them."),
    Command("reload", "Reload", "r,ctrl+r", scopes=(SUMMARY,), footer=(SUMMARY,),
            in_palette=False, help="Reload the job."),
    Command("close_compare", "Back", "escape,q,equals_sign", scopes=(COMPARE,), footer=(COMPARE,),
            action="leave", in_palette=False, help="Stop reading, or close the comparison."),
    Command("only_same", "Same", "1", scopes=(COMPARE,),
            action="kind('same')", in_palette=False, help="Show only rows with the same "
                 "answer; again to show all."),
    Command("only_different", "Different", "2", scopes=(COMPARE,),
            action="kind('different')", in_palette=False, help="Show only rows with "
                 "different answers."),
    Command("only_unanswered", "Unanswered", "3", scopes=(COMPARE,),
            action="kind('unanswered')", in_palette=False, help="Show only rows without "
                 "an answer in one of the jobs."),
    Command("only_left", "Only in the first job", "4", scopes=(COMPARE,),
            action="kind('only left')", in_palette=False, help="Show only rows that "
                 "the first job (◂) alone has; of several jobs, those that not all have."),
    Command("only_right", "Only in the second job", "5", scopes=(COMPARE,),
            action="kind('only right')", in_palette=False, help="Show only rows that "
                 "the second job (▸) alone has."),
    Command("all_kinds", "All", "0", scopes=(COMPARE,), footer=(COMPARE,),
            action="kind('')", in_palette=False, help="Show all rows."),
    Command("ignore_space", "Whitespace", "w", scopes=(COMPARE,), footer=(COMPARE,),
            in_palette=False, help="Ignore whitespace differences, or count them."),
    Command("as_json", "As JSON", "d", scopes=(COMPARE,), footer=(COMPARE,),
            in_palette=False, help="Compare answers as JSON data, or as text."),
    Command("answers", "Answers", "tab", scopes=(COMPARE,), footer=(COMPARE,),
            action="app.focus_next", in_palette=False, help="Go to the answers, and back "
                 "to the rows."),
    Command("say_right", "Right", "y", scopes=(REVIEW,), footer=(REVIEW,),
            action="verdict('right')", in_palette=False, help="The answer is right; go on."),
    Command("say_wrong", "Wrong", "n", scopes=(REVIEW,), footer=(REVIEW,),
            action="verdict('wrong')", in_palette=False, help="The answer is wrong; go on."),
    *(Command(f"label_{number}", f"Label {number}", str(number), scopes=(REVIEW,),
              action=f"label({number})", in_palette=False,
              help=f"Give the answer label {number} of [review] in config.toml; go on.")
      for number in range(1, 10)),
    Command("correct", "Edit", "e", scopes=(REVIEW,), footer=(REVIEW,),
            in_palette=False, help="Edit the answer; the original is kept."),
    Command("remark", "Note", "t", scopes=(REVIEW,), footer=(REVIEW,),
            in_palette=False, help="Write a note on the answer."),
    Command("skip", "Skip", "s,space", scopes=(REVIEW,), footer=(REVIEW,),
            action="skip", in_palette=False, help="Go on without a verdict."),
    Command("undo", "Undo", "u", scopes=(REVIEW,), footer=(REVIEW,),
            action="undo", in_palette=False, help="Undo the last verdict, edit or note."),
    Command("previous_answer", "Previous", "p", scopes=(REVIEW,),
            action="previous_answer", in_palette=False, help="Go back to the row before."),
    Command("answer_json", "Text/JSON", "w", scopes=(REVIEW,),
            in_palette=False, help="Show prompt and answer as JSON, or as text."),
    Command("answer_pager", "Pager", "v", scopes=(REVIEW,),
            in_palette=False, help="Show the whole prompt and answer in $PAGER."),
    Command("close_review", "Back", "escape,q", scopes=(REVIEW,), footer=(REVIEW,),
            action="leave", in_palette=False, help="Leave the review; it can be resumed."),
    Command("close_pivot", "Back", "escape,q,p", scopes=(PIVOT,), footer=(PIVOT,),
            action="leave", in_palette=False, help="Stop counting, or close the pivot table."),
    Command("swap", "Swap", "t", scopes=(PIVOT,), footer=(PIVOT,),
            in_palette=False, help="Swap lines and columns."),
    Command("mean", "Mean", "m", scopes=(PIVOT,), footer=(PIVOT,),
            in_palette=False, help="Show the mean of a column in each cell; the same column "
                 "again shows the rows."),
    Command("close_facets", "Back", "escape,q,f", scopes=(FACETS,), footer=(FACETS,),
            action="leave", in_palette=False, help="Go back to the rows without a change."),
    Command("exclude", "Exclude", "minus", scopes=(FACETS,), footer=(FACETS,),
            in_palette=False, help="Leave out the rows with this value, or the marked values."),
    Command("other_column", "Column", "tab", scopes=(FACETS,), footer=(FACETS,),
            action="app.focus_next", in_palette=False, help="Go to the columns, and back to the "
                 "values."),
    Command("show_column", "Show", "c", scopes=(FACETS,), footer=(FACETS,),
            in_palette=False, help="Show the column in the table of rows."),
    Command("pivot", "Pivot", "p", scopes=(FACETS,), footer=(FACETS,),
            in_palette=False, help="Count the rows by this column and a second one."),
    Command("retry_values", "Retry", "r", scopes=(FACETS,), footer=(FACETS,),
            in_palette=False, help="Filter by the chosen values and retry their rows, after "
                 "asking."),
    Command("review_values", "Review", "V", scopes=(FACETS,),
            in_palette=False, help="Filter by the chosen values and review their answers."),
    Command("export_values", "Export", "x", scopes=(FACETS,), footer=(FACETS,),
            in_palette=False, help="Filter by the chosen values and export their rows."),
    Command("close_evaluation", "Back", "escape,q,U", scopes=(EVALUATION,), footer=(EVALUATION,),
            action="leave", in_palette=False, help="Stop reading, or close the evaluation."),
    Command("gold", "True values", "g", scopes=(EVALUATION,), footer=(EVALUATION,),
            in_palette=False, help="Choose the column with the true values, or a file with them."),
    Command("answer", "Answer", "f", scopes=(EVALUATION,), footer=(EVALUATION,),
            in_palette=False, help="Choose the column that is evaluated."),
    Command("wrong", "Wrong rows", "e", scopes=(EVALUATION,), footer=(EVALUATION,),
            in_palette=False, help="Show the rows whose answer differs from the true value."),
    Command("normalise", "Normalise", "w", scopes=(EVALUATION,), footer=(EVALUATION,),
            in_palette=False, help="Ignore case, surrounding space and quotation marks, or not."),
    Command("close_costs", "Back", "escape,q,dollar_sign", scopes=(COSTS,), footer=(COSTS,),
            action="leave", in_palette=False, help="Go back to the list of jobs."),
    Command("group_by", "Group", "g", scopes=(COSTS,), footer=(COSTS,),
            in_palette=False, help="Group costs by month, account, provider, model, tag or job."),
    Command("months", "Months", "m", scopes=(COSTS,), footer=(COSTS,),
            in_palette=False, help="Show each month by itself, or all together."),
    Command("reload_costs", "Reload", "r,ctrl+r", scopes=(COSTS,), footer=(COSTS,),
            in_palette=False, help="Read the costs again."),
    Command("close_experiment", "Back", "escape,q,X", scopes=(EXPERIMENT,), footer=(EXPERIMENT,),
            action="leave", in_palette=False, help="Stop reading, or close the experiment."),
    Command("experiment_rows", "Compare", "e,equals_sign", scopes=(EXPERIMENT,),
            footer=(EXPERIMENT,), action="rows", in_palette=False,
            help="Show the answers of all jobs row by row, those "
                 "that differ first."),
    Command("experiment_answer", "Answer", "f", scopes=(EXPERIMENT,), footer=(EXPERIMENT,),
            action="column", in_palette=False, help="Choose the column that is compared."),
    Command("experiment_gold", "True values", "g", scopes=(EXPERIMENT,), footer=(EXPERIMENT,),
            action="truth", in_palette=False, help="Choose the column with the true values."),
    Command("reload_experiment", "Reload", "r,ctrl+r", scopes=(EXPERIMENT,), footer=(EXPERIMENT,),
            action="reload", in_palette=False, help="Read the jobs again, as far as they are."),
)
# fmt: on
"""All commands, in the order in which footer and help show them."""

COMMAND_BY_ID: dict[str, Command] = {command.id: command for command in COMMANDS}
"""Command id to command."""


def of_scope(scope: Scope, commands: Sequence[Command] = COMMANDS) -> list[Command]:
    """Those of some commands that belong to a scope."""
    return [command for command in commands if scope in command.scopes]


def action_in(command: Command, scope: Scope) -> str:
    """The action string of a command for the widget of a scope.

    A pane runs its own commands by id (see ``CommandTarget``), and forwards those of other scopes
    that its footer shows to the screen.
    """
    if command.action.startswith("app."):
        return command.action
    if scope not in command.scopes:
        return f"screen.{command.action or command.id}"
    if command.action or scope in (MAIN, TABLE):
        return command.action or command.id
    return f"run('{command.id}')"


def bindings(scope: Scope) -> list[BindingType]:
    """The bindings of a scope, including commands of other scopes that its footer shows."""
    return [
        Binding(
            command.keys,
            action_in(command, scope),
            command.title,
            show=scope in command.footer,
            tooltip=command.help,
            id=command.id,
        )
        for command in COMMANDS
        if command.keys and scope in (*command.scopes, *command.footer)
    ]
