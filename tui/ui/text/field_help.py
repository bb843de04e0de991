"""What F1 says about the field that has the focus, in prose."""

from __future__ import annotations

from dataclasses import dataclass

from textual.dom import DOMNode

from tui.core.query import KEYS


@dataclass(frozen=True)
class FieldHelp:
    """The help of a field.

    Attributes:
        title: Its name, as on the screen.
        text: What to type and what it does; paragraphs are separated by blank lines.
        keys: Keys, or words to type, and what they do.
    """

    title: str
    text: str
    keys: tuple[tuple[str, str], ...] = ()


_LEAVE = ("esc", "leave the field; letters are commands again")
_NEXT = ("enter tab", "go to the next field")
_EDITOR = ("ctrl+o", "edit the text in $VISUAL or $EDITOR")
_COMPLETE = ("tab", "complete the path as far as it is unambiguous")
_FORM = (_NEXT, _LEAVE)
_DIALOG = (("↓ ↑ tab", "go to another field"), ("esc", "close the dialog"))
_SELECT = (("enter", "open the list; enter again chooses"), _LEAVE)

_COLUMNS = (
    "{column} inserts the value of a column for each row; the list beside the field has the"
    " columns, and enter on one inserts it. Write {{ column }} for Jinja with its filters and"
    " conditions, such as {% if stars > 3 %}. A brace that is part of the text is doubled: {{."
)

FIELDS: dict[str, FieldHelp] = {
    "compose-source": FieldHelp(
        "Source",
        "The source of the requests: a CSV, TSV, Excel, Parquet or JSONL file, a folder of texts"
        " such as docs/*.txt, a table of a database (shop.db::orders, or shop.db::SELECT …), a"
        " Python program that writes rows, or a finished file of requests.\n\n"
        "Type or paste a path, or drop a file on the window. ~ is your home folder.\n\n"
        "An address is fetched first: https://…, a dataset of Hugging Face (hf://datasets/OWNER/"
        "NAME/FILE, with HF_TOKEN if it is private), s3://BUCKET/KEY or gs://BUCKET/KEY. A file"
        " that has not changed is not fetched again. Its query, which may be a key, is not stored.",
        (("enter", "open it"), ("f3", "choose a file from a list"), _LEAVE),
    ),
    "compose-account": FieldHelp(
        "Account",
        "Where the requests are sent and who pays: an account is a provider with a key. The sandbox"
        " runs on this machine, needs no key and is free.\n\n"
        "The last entry of the list adds an account.",
        _SELECT,
    ),
    "compose-window": FieldHelp(
        "Window",
        "How long the provider may take. Rows that are not answered by then expire: they are not"
        " charged and can be retried. A shorter window may cost more.",
        _SELECT,
    ),
    "compose-name": FieldHelp(
        "Name",
        "The name of the job in your history. Without one it is named like its file.",
        _FORM,
    ),
    "field-kind": FieldHelp(
        "Kind",
        "The API that the requests are written for. Chat fits most providers; the others are for"
        " one provider or purpose, and have fields of their own.",
        (("ctrl+t", "next kind"), *_SELECT),
    ),
    "field-model": FieldHelp(
        "Model",
        "The model's name at the provider, exactly as the provider writes it. Once the list of the"
        " account's models is known, the field completes it.",
        (("→", "complete"), *_FORM),
    ),
    "field-user": FieldHelp("Prompt", _COLUMNS, (_EDITOR, ("tab", "next field"), _LEAVE)),
    "field-system": FieldHelp(
        "System",
        "Instructions for the model before each prompt, such as its role or the form of the"
        " answer. Leave it empty for none.\n\n" + _COLUMNS,
        (_EDITOR, ("tab", "next field"), _LEAVE),
    ),
    "form-columns": FieldHelp(
        "Columns",
        "The columns of the source. Enter inserts one into the text that had the focus last.",
        (("enter", "insert the column"), _LEAVE),
    ),
    "field-entities": FieldHelp(
        "Entities",
        "What to find in each text: a label on the left, its description on the right. An empty"
        " line is added as you type; blank lines are ignored.",
        _FORM,
    ),
    "field-labels": FieldHelp(
        "Labels",
        "The classes: a name on the left, and on the right a yes-or-no question that decides"
        " whether a text belongs to it.",
        _FORM,
    ),
    "field-max_tokens": FieldHelp(
        "Max tokens",
        "The most tokens that an answer may have; a longer one is cut off. It also bounds the cost:"
        " without it, the highest cost of a job is unknown. Empty: no limit, where the provider"
        " allows that.",
        _FORM,
    ),
    "field-temperature": FieldHelp(
        "Temperature",
        "How much answers vary: 0 for the most likely words, higher for more variety. Some models"
        " accept only their default. Empty: the provider's default.",
        _FORM,
    ),
    "field-id": FieldHelp(
        "Id column",
        "The column whose values become the custom_id of the requests; answers are joined by it."
        " Its values must be unique. Empty: an id is made from the content of each row, so the same"
        " row always has the same id.",
        (("→", "complete the name of a column"), *_FORM),
    ),
    "field-schema": FieldHelp(
        "Schema",
        "The JSON schema that each answer must match: the path of a JSON Schema file, or the schema"
        " itself. It is sent as structured output, and answers are checked against it.",
        _FORM,
    ),
    "field-settings": FieldHelp(
        "More",
        "Other fields of the request body, one path=value per line, such as top_p=0.9 or"
        " reasoning.effort=low. Values are JSON where they can be, else text.",
        (("tab", "next field"), _LEAVE),
    ),
    "field-table": FieldHelp(
        "Table",
        "How the table is read: what separates cells, whether the first row has the names, how"
        " quotes are written, and the encoding. Each shows what was detected; change one where the"
        " preview is wrong.",
        _SELECT,
    ),
    "request-text": FieldHelp(
        "Request",
        "One request as a JSON object: custom_id, method, url and body. It is checked as you type.",
        (("ctrl+r", "save it and check the file"), _EDITOR, _LEAVE),
    ),
    "row-filter": FieldHelp(
        "Filter of rows",
        "Words are searched in prompts and answers; a row must have all of them. key:value narrows"
        ' further; put text with spaces in quotes ("not found"), and - in front excludes.',
        (
            *((key.example, key.help) for key in KEYS),
            ("tab", "complete a key or value"),
            ("↑ ↓", "earlier filters"),
            ("enter", "go to the rows"),
            ("esc", "clear the filter"),
        ),
    ),
    "job-filter": FieldHelp(
        "Filter of jobs",
        "Shows the jobs that contain all the words in their name, tags, note, model, account,"
        " status or id. A word with # is a tag.",
        (
            ("is:running", "jobs that go on by themselves; also is:draft, is:ended"),
            ("needs:me", "jobs with a warning, drafts, and failed rows of the last 7 days"),
            ("since:7d", "created in the last 7 days; also 12h, 3w"),
            ("since:2026-11-20", "created on that day or later"),
            ("before:2026-11-20", "created before that day"),
            ("enter", "go to the jobs"),
            ("esc", "clear the filter"),
        ),
    ),
    "retry-model": FieldHelp(
        "Model", "Sends the rows to another model of the same account. Empty: unchanged.", _DIALOG
    ),
    "retry-tokens": FieldHelp(
        "max_tokens",
        "The most tokens of an answer: a number, or x2 to double each row's own. It helps rows that"
        " were cut off.",
        _DIALOG,
    ),
    "retry-temperature": FieldHelp("Temperature", "A number; empty: unchanged.", _DIALOG),
    "retry-system": FieldHelp(
        "Add to system",
        r"Text that is appended to the system prompt of each row, such as “Answer in English”."
        r" \n starts a new line.",
        _DIALOG,
    ),
    "retry-lines": FieldHelp(
        "Other fields",
        "One per line: path=value sets a field of the request body, -path removes it. Below you see"
        " what changes in a sample of the rows.",
        (("tab", "go to another field"), ("esc", "close the dialog")),
    ),
    "fix-model": FieldHelp("Model for all rows", "Replaces the model of each row.", _DIALOG),
    "fix-least": FieldHelp(
        "Minimum max_tokens", "Raises max_tokens to this number where it is lower.", _DIALOG
    ),
    "fix-most": FieldHelp(
        "Maximum max_tokens", "Lowers max_tokens to this number where it is higher.", _DIALOG
    ),
    "fix-settings": FieldHelp(
        "Set body fields",
        "path=value sets a field in each row; separate several with a semicolon.",
        _DIALOG,
    ),
    "fix-unset": FieldHelp(
        "Remove body fields",
        "Paths of fields to remove from each row, separated by semicolons. Fields that the"
        " provider rejects are proposed.",
        _DIALOG,
    ),
    "fix-split": FieldHelp(
        "Rows per file",
        "Splits the copy into files of at most this many rows. Empty: one file, unless the"
        " provider's limit needs more.",
        _DIALOG,
    ),
    "export-path": FieldHelp(
        "File",
        "Where the rows are written. The extension sets the format, and choosing a format below"
        " sets the extension; .gz at the end compresses. An existing file is replaced only after"
        " you press enter twice.\n\n"
        "s3://BUCKET/KEY or gs://BUCKET/KEY writes to a bucket, with the credentials of this"
        " machine.",
        (("enter", "export"), _COMPLETE, ("↓ tab", "formats and options")),
    ),
    "export-format": FieldHelp(
        "Format",
        "JSONL has everything. CSV opens in any spreadsheet and cannot run formulas there. Parquet"
        " and SQLite are for analysis. The report is one HTML page with plots.",
        (("← → space", "choose"), ("ctrl+s", "export")),
    ),
    "export-rows": FieldHelp(
        "Rows", "Which rows are written: all, those that match the filter, or the marked ones."
    ),
    "sample-rows": FieldHelp(
        "Sample",
        "How many rows are sent first, chosen at random. The others wait as a draft, with exactly"
        " the rows that are not in the sample.",
        (("enter", "go on"), *_DIALOG),
    ),
    "sample-by": FieldHelp(
        "Equal shares",
        "An input column, such as in.lang: the sample has as many rows with each of its values, as"
        " far as there are so many.",
        (("enter", "go on"), *_DIALOG),
    ),
    "sample-seed": FieldHelp(
        "Sample number",
        "The same number chooses the same rows of the same file. The job keeps it.",
        (("enter", "go on"), *_DIALOG),
    ),
    "view-name": FieldHelp(
        "View",
        "The name under which filter, order and columns are saved, as they are now. The view can be"
        " used in every job; saving under a name that is there replaces it.",
        (("enter", "save"), *_DIALOG),
    ),
    "derived-kind": FieldHelp(
        "Kind",
        "An expression computes a value from the fields of the answer and the columns of the row. A"
        " regular expression takes a part of the text of another column.",
        (("← → space", "choose"), *_DIALOG),
    ),
    "derived-name": FieldHelp(
        "Name",
        "What the column is called: calc.NAME in filters, facets, sorts and exports. It is kept"
        " with the job.",
        (("enter", "try it"), *_DIALOG),
    ),
    "derived-text": FieldHelp(
        "Values",
        "The expression, such as 'high' if score > 3 else 'low', or a pattern whose first group is"
        " the value, such as Stars: (\\d). Its first values are shown before it is added.",
        (("enter", "try it"), *_DIALOG),
    ),
    "derived-of": FieldHelp(
        "Column",
        "The column that the pattern is applied to: answer, @field, in.COLUMN, or another one.",
        (("enter", "try it"), *_DIALOG),
    ),
    "experiment-name": FieldHelp(
        "Name",
        "The name of the experiment. Each model with each template becomes a job with this name,"
        " followed by those of the model and the template.",
        (("ctrl+s", "use it"), *_DIALOG),
    ),
    "experiment-other": FieldHelp(
        "Another model",
        "A model that is not in the list. MODEL@ACCOUNT sends it with another account.",
        (("enter", "add it"), *_DIALOG),
    ),
    "review-rows": FieldHelp(
        "Rows", "Which rows are reviewed: all, those that match the filter, or the marked ones."
    ),
    "review-sample": FieldHelp(
        "Random sample",
        "How many of the rows are reviewed, chosen at random among those with an answer. Empty: all"
        " of them, in their order. You can stop at any time: each beginning of a sample is a sample"
        " too.",
        (("enter", "start"), *_DIALOG),
    ),
    "review-by": FieldHelp(
        "Equal shares",
        "A column, such as @label, in.lang or model: the sample has the same number of rows with"
        " each of its values, so that rare ones are seen.",
        (("enter", "start"), *_DIALOG),
    ),
    "review-seed": FieldHelp(
        "Sample number",
        "The same number gives the same rows, so that a colleague can review them as well.",
        (("enter", "start"), *_DIALOG),
    ),
    "correction": FieldHelp(
        "Correction",
        "The answer as it should be. It is kept beside the original, exported in a column of its"
        " own, or in place of the answer (export --reviewed). JSON is checked against the schema.",
        (("ctrl+s", "save"), ("esc", "close the dialog")),
    ),
    "pick-path": FieldHelp(
        "Choose a file",
        "Type a part of a name to narrow the list, or a path; a file that you drop on the window"
        " replaces it. ~ is your home folder.",
        (("↑ ↓", "move"), ("enter", "open the file or folder"), _COMPLETE, ("esc", "cancel")),
    ),
    "filter-name": FieldHelp("Name", "The name under which the current filter is saved."),
    "templates-name": FieldHelp("Name", "The name under which the template is saved."),
    "choose-text": FieldHelp(
        "Filter", "Shows the entries that contain all the words.", (("↑ ↓", "move"),)
    ),
    "remote-account": FieldHelp("Account", "The account whose batches are listed."),
    "remote-id": FieldHelp(
        "Batch id",
        "The provider's id of a batch that is not in the list, to import it as a job.",
        (("enter", "import"),),
    ),
    "uncertain-id": FieldHelp(
        "Batch id",
        "The id of the batch as the provider's own website shows it. The job continues with"
        " that batch, and nothing is sent twice.",
    ),
    "key": FieldHelp(
        "API key",
        "The key from the provider's website. It is not shown, is sent to this account's own host"
        " only, and is written to no file: it stays in memory until you quit, or in the keyring of"
        " your system.",
        (("enter", "use it now"), ("ctrl+k", "save it to the keyring")),
    ),
    "account-provider": FieldHelp(
        "Provider",
        "The service that answers the requests. “OpenAI-compatible server” is for a server of your"
        " own, such as vLLM, and needs its address.",
        _SELECT,
    ),
    "account-name": FieldHelp(
        "Name",
        "A name for the account, of letters, digits, - and _. It is in lists, on the command line"
        " (--account) and in the variable BATCHDECK_KEY_NAME.",
        _DIALOG,
    ),
    "account-address": FieldHelp(
        "Address",
        "The base URL, such as https://host.example/v1. Empty: the provider's own. The key is sent"
        " to this host only, and over plain http only to this machine.",
        _DIALOG,
    ),
    "account-key": FieldHelp(
        "API key",
        "The key from the provider's website; it is saved in the keyring of your system, and"
        " nowhere else. Leave it empty where none is needed, or where an environment variable"
        " has it.",
        _DIALOG,
    ),
    "account-values": FieldHelp(
        "Values",
        "What this provider needs besides a key, as name=value with spaces between: a region, a"
        " bucket, a project, the ARN of a role. The empty field names them.",
        _DIALOG,
    ),
    "account-way": FieldHelp(
        "Sign in",
        "How the account proves who it is: with a key of its own, or with the sign-in of AWS's or"
        " Google's tools that this machine has (a profile, a role, `gcloud auth`).",
        _SELECT,
    ),
    "path": FieldHelp("Path", "The path of a file or folder.", (_COMPLETE,)),
    "deadline": FieldHelp(
        "Deadline",
        "18:00 is the next time that a clock here shows it; +90m, +6h and +2d count from now;"
        " 2026-12-01T18:00 is local time, 2026-12-01T18:00Z is UTC. At that time the running"
        " batches are cancelled, what is done is kept, and rows without an answer are sent one by"
        " one. That needs an open Batchdeck; if none is open, the next one does it.",
        (("enter", "set it; an empty line removes it"),),
    ),
    "ask": FieldHelp("Text", "The text is saved with enter, and unchanged after esc."),
}
"""The help of each field, by the id of the field or of what it is part of."""


def field_help(focused: DOMNode | None) -> FieldHelp | None:
    """The help of a field; ``None`` for what is no field."""
    if focused is None:
        return None
    return next(
        (FIELDS[node.id] for node in focused.ancestors_with_self if node.id in FIELDS), None
    )
