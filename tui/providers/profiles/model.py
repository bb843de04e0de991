"""What a profile can say: routes, formats, limits and prices, and what its status words mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from tui.core.jobs import BatchStatus
from tui.core.json_path import is_path
from tui.core.requests import RejectedFields, RequiredField
from tui.core.send_plans import Limits

JsonPaths = str | tuple[str, ...]
"""A dotted path into a JSON object, or several to try in order; ``""`` means there is none."""

Seconds = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a profile; unknown keys are errors, which catches typing mistakes."""


SignIn = Literal["key", "aws", "google"]
"""A way to sign in: an API key, or the credentials of AWS or of Google on this machine."""


class Auth(Section, frozen=True):
    """How the key is sent: ``header: scheme key``, or ``header: key`` without a scheme.

    ``ways`` are the ways to sign in, the usual one first. Where there are several, an account
    that has a key uses it; without one, requests are signed with the credentials of AWS, or sent
    with a token of Google's default credentials.
    ``env`` lists environment variables for the key, ``params_env`` those of values of an account's
    ``params``, for accounts that do not set them. If ``required`` is false, an account works
    without a key and sends one if it has one.
    """

    header: str = "Authorization"
    scheme: str = "Bearer"
    env: tuple[str, ...] = ()
    ways: tuple[SignIn, ...] = ("key",)
    params_env: dict[str, str] = {}
    required: bool = True


class Paths(Section, frozen=True):
    """Routes under the base URL; ``{id}`` is filled in. A route may start with its HTTP method.

    An empty route means that the provider has no such endpoint.
    """

    upload: str = "/files"
    file: str = "/files/{id}"
    content: str = "/files/{id}/content"
    file_delete: str = "/files/{id}"
    file_list: str = "/files"
    create: str = "/batches"
    get: str = "/batches/{id}"
    list: str = "/batches"
    cancel: str = "/batches/{id}/cancel"
    delete: str = ""
    results: str = ""
    models: str = "/models"
    retry: str = ""
    retry_rows: str = ""
    estimate: str = ""
    count_tokens: str = ""


class Upload(Section, frozen=True):
    """The multipart form of an uploaded file, and the format of the response.

    ``expires_style`` sets how form keys are nested: ``expires_after[seconds]`` or
    ``expires_after.seconds``, or one plain number (``expires_after``); nothing is sent while
    ``expires_seconds`` is 0. With ``wait_status`` a batch is created only when the file has one
    of these statuses.
    ``delete_means_done`` lists error statuses of a delete that nevertheless worked.
    """

    purpose_field: str = "purpose"
    purpose: str = "batch"
    file_field: str = "file"
    name_field: str = ""
    content_type: str = "application/jsonl"
    extra_form: dict[str, str] = {}
    unwrap: str = ""
    expires_style: Literal["brackets", "dots", "plain", "none"] = "brackets"
    expires_seconds: Count = 0
    wait_status: tuple[str, ...] = ()
    wait_seconds: Seconds = 600
    delete_means_done: tuple[int, ...] = ()


class Store(Section, frozen=True):
    """A bucket of the user's own, where input files go and results come from.

    The account names it: ``params.bucket``, and where they differ from here ``params.region``,
    ``params.prefix`` (the start of all keys) and ``params.endpoint_url``. ``uri`` is how the
    provider is told of an object, with ``{bucket}``, ``{region}`` and ``{key}``. ``output`` and
    ``errors`` are where results are, for providers that do not say it: ``{folder}`` is that of
    the input file (with a slash), ``{batch_id}`` the batch, ``{name}`` the file's name.
    ``access_key_env`` is the variable of the access key whose secret is the account's key; if it
    is empty, the credentials are those of AWS: environment, profiles, SSO, roles.
    """

    kind: Literal["", "s3", "gcs"] = ""
    endpoint_url: str = "https://s3.{region}.amazonaws.com"
    region: str = ""
    prefix: str = "batchdeck/"
    uri: str = "s3://{bucket}/{key}"
    output: str = ""
    errors: str = ""
    access_key_env: str = ""


class RowForm(Section, frozen=True):
    """The format of a row on the wire.

    ``full`` is ``custom_id, method, url, body``; ``body`` is ``custom_id, body``. With
    ``model = "batch"`` the create call names the model and the rows omit it. ``keep`` lists the
    body keys that a row may have (empty: all); other keys are rejected, because they would be
    lost. ``url_map`` renames ``url`` values.
    """

    style: Literal["full", "body"] = "full"
    model: Literal["row", "batch"] = "row"
    keep: tuple[str, ...] = ()
    url_map: dict[str, str] = {}


class InputField(Section, frozen=True):
    """The field of the input file in a create call; ``list`` wraps the id in an array."""

    field: str = "input_file_id"
    list: bool = False


class WindowField(Section, frozen=True):
    """The completion window in a create call: a string (``24h``), hours (24), or not sent.

    ``values`` are the choices offered to the user, the default first; ``min`` and ``max``, in
    hours, limit other values (0: no limit).
    """

    field: str = "completion_window"
    kind: Literal["text", "hours", "none"] = "text"
    values: tuple[str, ...] = ("24h",)
    min: Count = 0
    max: Count = 0


class MetadataField(Section, frozen=True):
    """The metadata field of a create call and its limits; empty if metadata is not supported.

    ``max_key`` and ``max_value`` are numbers of characters.
    """

    field: str = "metadata"
    max_pairs: Count = 16
    max_key: Count = 64
    max_value: Count = 512


class Create(Section, frozen=True):
    """The JSON body of a create call, and the format of the response.

    ``name_field`` is the field of a name, where the API has no metadata: it is set to ``bd-`` and
    Batchdeck's id of the batch, by which a lost create is found again (see ``batch.name``).
    ``params_field`` has the parameters that are common to all rows (Voyage): ``params`` and the
    model. ``key_order`` lists keys that come first; ``requests_field`` of an inline batch is
    always the last key. ``output_expires_seconds`` above 0 is sent as ``output_expires_after``.
    ``headers`` are sent with the create; ``{model}`` in them is the batch's model, any other
    placeholder a value of the account's ``params``. ``token_field`` is set to the same name: a
    create with a token is carried out once, so that it may be sent again.
    """

    input: InputField = InputField()
    endpoint_field: str = "endpoint"
    model_field: str = ""
    params_field: str = ""
    params: dict[str, Any] = {}
    window: WindowField = WindowField()
    metadata: MetadataField = MetadataField()
    name_field: str = ""
    token_field: str = ""
    requests_field: str = "requests"
    output_expires_seconds: Count = 0
    idempotency_header: str = ""
    headers: dict[str, str] = {}
    extra_body: dict[str, Any] = {}
    key_order: tuple[str, ...] = ()
    unwrap: str = ""


class BatchPaths(Section, frozen=True):
    """The paths into a batch object, and the meaning of its statuses.

    With ``status_rule = "counts"`` there is no status word, and the status follows from the rest:
    failed if there are ``errors``, cancelled if there is a time at ``stopped``, expired if the
    time at ``expires`` has passed with rows left at ``processing``, else by the rows that are
    left. ``name`` is where the value of ``create.name_field`` comes back. ``cost`` is multiplied
    by ``cost_scale``. ``done`` counts the rows that succeeded. ``rest_is_cancelled``: in a
    cancelled batch the rows that are neither done nor failed count as cancelled. The paths of
    ``ended`` are tried in order, after the one named after the status.
    """

    id: JsonPaths = ("id", "batch_id")
    status: JsonPaths = "status"
    status_rule: Literal["word", "counts"] = "word"
    stopped: JsonPaths = ""
    name: JsonPaths = ""
    total: JsonPaths = ("request_counts.total", "total_count")
    processing: JsonPaths = "request_counts.processing"
    done: JsonPaths = ("request_counts.completed", "request_counts.succeeded", "completed_count")
    failed: JsonPaths = ("request_counts.failed", "request_counts.errored", "failed_count")
    cancelled: JsonPaths = ("request_counts.cancelled", "request_counts.canceled")
    expired: JsonPaths = "request_counts.expired"
    percent: JsonPaths = ""
    rest_is_cancelled: bool = False
    output: JsonPaths = "output_file_id"
    error: JsonPaths = "error_file_id"
    inline: JsonPaths = "results"
    errors: JsonPaths = ("errors", "error")
    input: JsonPaths = "input_file_id"
    endpoint: JsonPaths = "endpoint"
    metadata: JsonPaths = "metadata"
    created: JsonPaths = "created_at"
    ended: tuple[str, ...] = (
        "completed_at",
        "failed_at",
        "cancelled_at",
        "expired_at",
        "finalized_at",
        "ended_at",
    )
    expires: JsonPaths = "expires_at"
    model: JsonPaths = "model"
    input_tokens: JsonPaths = "usage.input_tokens"
    output_tokens: JsonPaths = "usage.output_tokens"
    cost: JsonPaths = "usage.cost"
    cost_scale: float = 1.0
    status_map: dict[str, BatchStatus] = {}


class Listing(Section, frozen=True):
    """The pagination of lists.

    ``cursor_param`` is set to the last id (``after``), to the value at ``next`` (``cursor`` and
    ``token``), or to a page number counted from ``first_page`` (``page``). With ``limit`` 0 no
    limit is sent. ``items`` may be ``""`` for a bare array; a bare array and ``value`` are also
    recognised otherwise. Without ``newest_first`` every page is read, whatever is looked for.
    """

    items: str = "data"
    paging: Literal["after", "cursor", "token", "page", "none"] = "after"
    limit_param: str = "limit"
    limit: Count = 100
    cursor_param: str = "after"
    next: JsonPaths = ""
    first_page: Count = 0
    newest_first: bool = True


class Content(Section, frozen=True):
    """How a download is resumed: from a byte (``range``), from a line (``skip``), or not."""

    resume: Literal["range", "skip", "none"] = "range"
    skip_params: tuple[str, ...] = ("skip",)


class ResultPages(Section, frozen=True):
    """Results that ``paths.results`` returns as pages of JSON, where there is no result file.

    Used when ``items``, the key of the array in a page, is set. ``next`` is the path of the cursor
    of the next page, ``limit`` the rows of a page (0: not sent). Each item becomes a result line:
    the value at ``id`` is its ``custom_id``; the object at ``response`` has one key, whose value
    is the body of the answer; ``error`` and ``message`` are what went wrong. A row has failed if
    it has no answer, a message, or an error whose code is not 0.
    """

    items: str = ""
    next: JsonPaths = "pagination_token"
    cursor_param: str = "pagination_token"
    limit_param: str = "limit"
    limit: Count = 1000
    id: JsonPaths = "custom_id"
    response: JsonPaths = "response"
    error: JsonPaths = "error"
    message: JsonPaths = ""


DialectName = Literal[
    "files", "messages", "scaledown", "inline", "gemini", "fireworks", "vertex", "bedrock"
]


class Poll(Section, frozen=True):
    """Polling intervals in seconds, and how long after a create a 404 means "not yet".

    ``confirm_seconds``: how long after a create without a response the list may not show the
    batch. ``list_is_complete``: the list shows every batch of the account; without it, a list that
    shows none of the known batches proves nothing.
    """

    min_seconds: Seconds = 30
    max_seconds: Seconds = 300
    grace_404_seconds: Seconds = 60
    confirm_seconds: Seconds = 600
    list_is_complete: bool = False


class Quota(Section, frozen=True):
    """How to recognise a full queue and an exhausted credit.

    ``codes`` and ``text`` (anywhere in the response, ignoring case) mean that nothing ran and the
    same batch can be sent later. ``limit_codes`` and ``limit_text`` require the user to act first.
    """

    codes: tuple[str, ...] = ("token_limit_exceeded",)
    text: tuple[str, ...] = ("enqueued token limit",)
    limit_codes: tuple[str, ...] = ("insufficient_quota", "billing_hard_limit_reached")
    limit_text: tuple[str, ...] = ()


class Price(Section, frozen=True):
    """Batch prices of a model per million tokens, in the profile's currency.

    ``windows`` has the prices of other completion windows.
    """

    input: Seconds
    output: Seconds
    cached: Seconds | None = None
    windows: dict[str, Price] = msgspec.field(default_factory=dict)


class Prices(Section, frozen=True):
    """The sources of prices.

    ``batch_discount`` is the fraction taken off the regular price (0.5 is half off), ``None`` when
    unknown; it applies only where the price table has no batch price. ``overrides`` take
    precedence over everything; ``model_alias`` maps a deployment name to a model of the table.
    """

    genai_prices_id: str = ""
    currency: str = "USD"
    batch_discount: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    overrides: dict[str, Price] = msgspec.field(default_factory=dict)
    model_alias: dict[str, str] = msgspec.field(default_factory=dict)


class Can(Section, frozen=True):
    """The optional features of the provider.

    ``guard_cancel``: check the status before a cancel, because the provider would also cancel a
    batch that has ended. ``cancel_keeps``: a cancelled batch returns the rows that are done.
    ``delete_stops``: deleting a batch that runs stops it. ``ask``: the row's
    own path answers single requests synchronously.
    """

    cancel: bool = True
    guard_cancel: bool = False
    cancel_keeps: bool = True
    delete_file: bool = True
    delete_batch: bool = False
    delete_stops: bool = False
    partial_results: bool = False
    list: bool = True
    native_retry: bool = False
    models: bool = True
    ask: bool = True


class Http(Section, frozen=True):
    """Retries of an idempotent call, and timeouts in seconds.

    ``send_seconds`` is the timeout of uploads and creates, which servers may validate at length.
    ``first_pause`` is the pause before the second call; it doubles for each further one.
    """

    attempts: Annotated[int, msgspec.Meta(ge=1, le=10)] = 4
    read_seconds: Seconds = 60
    send_seconds: Seconds = 300
    first_pause: Seconds = 0.5


class Messages(Section, frozen=True):
    """The pinned API version and beta features; for the ``messages`` dialect only."""

    version: str = "2023-06-01"
    beta: tuple[str, ...] = ()


Certainty = Literal["source", "docs", "tried", "third party", "unverified"]
"""How sure a fact is: read in a server, SDK or API description; read in the vendor's own pages;
tried against the service; found only with others; found nowhere or in contradiction."""


class FactSource(Section, frozen=True):
    """Where facts of a profile come from, and how sure they are.

    ``facts`` are keys of the profile, of one value (``limits.rows``) or of a table (``limits``).
    ``certainty`` is explained at ``Certainty``. ``where`` is a page, a package with its version,
    or a repository. ``note`` says what is in doubt.
    """

    facts: tuple[str, ...]
    certainty: Certainty
    where: str
    note: str = ""


GeminiRows = Literal["native", "openai"]


class Gemini(Section, frozen=True):
    """The form of the rows of a batch; for the ``gemini`` dialect only.

    ``native`` writes ``{"key", "request"}``, translated from chat requests; ``openai`` sends rows
    of OpenAI's form as they are.
    """

    rows: GeminiRows = "native"


class Fireworks(Section, frozen=True):
    """Datasets and jobs; for the ``fireworks`` dialect only.

    Files of more than ``form_bytes`` are sent to a signed address instead of as a form. With
    ``output = "ours"`` the create names the dataset of the results, which is then known by the
    batch's id; with ``theirs`` the provider names it.
    """

    form_bytes: Count = 150_000_000
    output: Literal["ours", "theirs"] = "ours"


class Vertex(Section, frozen=True):
    """The jobs of Vertex AI; for the ``vertex`` dialect only.

    ``publishers`` names the publisher of models that are written without one, by how their names
    begin. ``suffix`` is how the names of result files end, ``parts`` the folder with copies of
    them that were written before the end. With ``table`` rows of Gemini are checked for what the
    table that they are imported into cannot hold, because one such row fails the job. ``regions``
    has the addresses of locations that are not regions.
    """

    publishers: dict[str, str] = {}
    anthropic_version: str = "vertex-2023-10-16"
    suffix: str = ".jsonl"
    parts: str = "incremental_predictions"
    table: bool = True
    regions: dict[str, str] = {}


BedrockRows = Literal["model", "messages", "chat", "converse"]


class Bedrock(Section, frozen=True):
    """The form of rows, and the services beside the jobs; for the ``bedrock`` dialect only.

    ``rows`` is the form of the rows of a batch. ``model`` chooses it by the model's name:
    ``messages`` for Anthropic's, ``chat`` for the open-weight models of OpenAI, ``converse`` for
    all others. Rows with a ``modelInput`` keep their form. The addresses are those of single
    requests, and of the services that ``accounts test`` asks who is signed in and whom the role
    trusts.
    """

    rows: BedrockRows = "model"
    anthropic_version: str = "bedrock-2023-05-31"
    runtime_url: str = "https://bedrock-runtime.{region}.amazonaws.com"
    sts_url: str = "https://sts.{region}.amazonaws.com"
    iam_url: str = "https://iam.amazonaws.com"


class Profile(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"listing": "list"},
):
    """A provider as data: everything that differs from OpenAI's API.

    ``models`` lists all models of a provider whose models never change. ``refuses`` and ``needs``
    are the fields that a row must not have or must have, for the check before a submit.
    ``endpoints_known``: whether ``endpoints`` lists all endpoints that take batches, so that any
    other is rejected; false for gateways, whose endpoints depend on how they are run.
    ``checks`` names rules for the inside of bodies (see ``tui.compose.requests.body_checks``).
    ``direct``: there are no batches, rows are sent one by one (``tui.providers.dialects.direct``).
    ``sources`` says where the facts come from; ``batchdeck providers NAME`` shows it.
    """

    id: str
    name: str
    dialect: DialectName = "files"
    direct: bool = False
    base_url: str = ""
    docs: str = ""
    notes: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ("/v1/chat/completions",)
    endpoints_known: bool = True
    checks: tuple[Literal["json_word", "strict_schema"], ...] = ()
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    retention_days: Count | None = None
    retry_codes: dict[str, bool] = {}
    auth: Auth = Auth()
    paths: Paths = Paths()
    upload: Upload = Upload()
    store: Store = Store()
    row: RowForm = RowForm()
    create: Create = Create()
    batch: BatchPaths = BatchPaths()
    listing: Listing = Listing()
    content: Content = Content()
    results: ResultPages = ResultPages()
    limits: Limits = Limits()
    poll: Poll = Poll()
    quota: Quota = Quota()
    prices: Prices = Prices()
    can: Can = Can()
    http: Http = Http()
    messages: Messages = Messages()
    gemini: Gemini = Gemini()
    fireworks: Fireworks = Fireworks()
    vertex: Vertex = Vertex()
    bedrock: Bedrock = Bedrock()
    models: tuple[str, ...] = ()
    refuses: tuple[RejectedFields, ...] = ()
    needs: tuple[RequiredField, ...] = ()
    sources: tuple[FactSource, ...] = ()

    @property
    def env(self) -> tuple[str, ...]:
        """The environment variables that may contain the key."""
        return self.auth.env

    @property
    def needs_key(self) -> bool:
        """Whether the provider requires a key."""
        return self.auth.required

    @property
    def windows(self) -> tuple[str, ...]:
        """The completion windows to choose from, the default first."""
        return self.create.window.values


def find_invalid_key(profile: Profile) -> tuple[str, str] | None:
    """Check what the types cannot express.

    Returns:
        The invalid key and what is wrong with it, or ``None``.
    """
    pattern = profile.limits.custom_id_pattern
    try:
        re.compile(pattern)
    except re.error as error:
        return "limits.custom_id_pattern", f"is not a valid regular expression ({error})"
    rules = [(rule.models, rule.fields) for rule in profile.refuses]
    rules += [(rule.models, rule.fields) for rule in profile.needs]
    for models, fields in rules:
        try:
            re.compile(models)
        except re.error as error:
            return "models of a rule", f"is not a valid regular expression ({error})"
        if not fields or not all(map(is_path, fields)):
            return "fields of a rule", f"must be paths, not {list(fields)}"
    for name in ("file", "content", "file_delete", "get", "cancel", "delete", "results"):
        route = getattr(profile.paths, name)
        if route and "{id}" not in route:
            return f"paths.{name}", "must contain {id}"
    if profile.results.items and not profile.paths.results:
        return "results.items", "needs paths.results"
    if profile.poll.max_seconds < profile.poll.min_seconds:
        return "poll.max_seconds", "must not be less than poll.min_seconds"
    if profile.base_url and not profile.base_url.startswith(("https://", "http://")):
        return "base_url", "must start with https:// or http://"
    if not profile.auth.header:
        return "auth.header", "must not be empty"
    return None


def base_url_of(profile: Profile, params: Mapping[str, str]) -> str:
    """The base URL of a profile for an account's values; what has no value stays in braces."""
    own = profile.vertex.regions.get(params.get("region", ""), profile.base_url)
    return fill_in(own, params)


def fill_in(text: str, params: Mapping[str, str]) -> str:
    """Replace the ``{placeholders}`` of a text by an account's values; others stay."""
    for name, value in params.items():
        text = text.replace(f"{{{name}}}", value)
    return text
