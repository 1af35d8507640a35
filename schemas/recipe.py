"""Models of a recipe: sources, stages, splits, shards and checks.

The models are strict and independent of files. `pipelines.recipes.reading` reads YAML with line numbers, resolves
stages and loaders, and reports all errors at once. `Recipe.model_dump(mode="json")` has the form of a recipe file.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    field_serializer,
    field_validator,
    model_validator,
)

from corpusmill.schemas.budgets import CrawlBudgets
from corpusmill.schemas.expectations import COMMENT
from corpusmill.schemas.optouts import RESPECT_DESCRIPTION, Respect
from corpusmill.schemas.problems import HintedValueError
from corpusmill.schemas.quantities import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    duration_of,
    format_duration,
    size_of,
)
from corpusmill.schemas.selectors import DROP_DESCRIPTION, SELECT_DESCRIPTION, Selector

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,63}$"
_MIN_SHARD_BYTES: Final = 10**3
_MAX_SHARD_BYTES: Final = 10**12


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:  # an unclosed bracket in the host
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", value)


def _web_address(value: str) -> str:
    if not _is_web_address(value):
        problem = "not a web address: it must begin with http:// or https:// and a host, without spaces"
        raise HintedValueError(problem, instead=_nearest_address(value))
    return value


def _nearest_address(value: str) -> str | None:
    """Return the web address that *value* probably means.

    >>> _nearest_address("example.org/a"), _nearest_address("htp://example.org"), _nearest_address("here")
    ('https://example.org/a', 'https://example.org', None)
    >>> _nearest_address("sitemap.xml")  # a file, not a host
    """
    if re.fullmatch(r"[\w-]+\.(xml|txt|html?|rss|atom|json|gz)", value.strip(), flags=re.IGNORECASE):
        return None
    rest = re.sub(r"^[a-z]*:?/*", "", value.strip().replace(" ", "%20"), flags=re.IGNORECASE) if "/" in value else value
    rest = rest if re.match(r"[\w-]+(\.[\w-]+)+", rest) else value.strip()
    is_host = re.match(r"[\w-]+(\.[\w-]+)+(:[0-9]+)?(/|$)", rest) is not None
    return f"https://{rest}" if is_host and _is_web_address(f"https://{rest}") else None


def _contact(value: str) -> str:
    if re.fullmatch(r"mailto:[^@\s]+@[^@\s]+", value) or _is_web_address(value):
        return value
    instead = f"mailto:{value}" if re.fullmatch(r"[^@\s:]+@[^@\s]+", value) else _nearest_address(value)
    problem = "not a contact: write mailto:you@example.org or the https:// address of a page"
    raise HintedValueError(problem, instead=instead)


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        position = getattr(error, "pos", None)
        where = "" if position is None else f" at character {position + 1}, `{value[position:][:20]}`"
        problem = f"not a regular expression: {getattr(error, 'msg', 'too large')}{where}"
        raise HintedValueError(problem, instead=_nearest_pattern(value)) from None
    return value


def _nearest_pattern(value: str) -> str:
    """Return the regular expression that *value*, a glob or a text, probably means.

    >>> print(_nearest_pattern("*.html"), _nearest_pattern("a(b"))
    \\.html$ a\\(b
    """
    return f"{re.escape(value[1:])}$" if value.startswith("*") else re.escape(value)


_NAME_IN_WORDS: Final = "a name of lower-case letters, digits, `_` and `-`, at most 64 characters"

Name: TypeAlias = Annotated[str, Field(pattern=NAME_PATTERN, json_schema_extra={COMMENT: _NAME_IN_WORDS})]
Duration: TypeAlias = Annotated[
    timedelta | None,
    BeforeValidator(duration_of),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, COMMENT: "a duration such as 12h or 7d, or never"}),
]
Bytes: TypeAlias = Annotated[
    int,
    BeforeValidator(size_of),
    WithJsonSchema(
        {
            COMMENT: "a size from 1kB to 1TB such as 256MB, or a whole number of bytes",
            "anyOf": [
                {"type": "integer", "minimum": _MIN_SHARD_BYTES, "maximum": _MAX_SHARD_BYTES},
                {"type": "string", "pattern": SIZE_PATTERN},
            ],
        }
    ),
]
"""Size of a shard's text in bytes."""
WebAddress: TypeAlias = Annotated[str, AfterValidator(_web_address)]
Pattern: TypeAlias = Annotated[str, AfterValidator(_pattern)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]


def _non_empty_paths(path: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if not path or any(not item or "\0" in item for item in ((path,) if isinstance(path, str) else path)):
        raise ValueError("a path cannot be empty or contain a null character")
    return path


def _listings(value: Any) -> Any:
    """Return a list of addresses as a tuple, and None for `false` and an empty list, which mean the same as no field.

    Raises:
        HintedValueError: *value* is neither `true` nor a list of web addresses.
    """
    if value is None or value is True or value is False:
        return value or None
    if not isinstance(value, list | tuple):
        near = value if isinstance(value, str) and _is_web_address(value) else _nearest_address(str(value))
        raise HintedValueError("expected `true` or a list of web addresses", instead=[near] if near else True)
    for index, item in enumerate(value):
        if not isinstance(item, str) or not _is_web_address(item):
            problem = f"item {index + 1} is not a web address, which begins with http:// or https:// and a host"
            near = _nearest_address(str(item))
            raise HintedValueError(problem, instead=[*value[:index], near, *value[index + 1 :]] if near else None)
    return tuple(value) or None


Listings: TypeAlias = Annotated[bool | tuple[WebAddress, ...] | None, BeforeValidator(_listings)]
"""Addresses of sitemaps or feeds, or `true` for those that the site names."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Recrawl(_Part):
    """Bounds of the time after which a recrawl asks for a page again.

    It adapts to the page: shorter when its text changed, longer when it did not.
    """

    min_interval: Duration = Field(
        default=timedelta(days=1), description="Shortest interval; that of a new page.", examples=["1d"]
    )
    max_interval: Duration = Field(default=timedelta(days=30), description="Longest interval.", examples=["30d"])

    @field_validator("min_interval", "max_interval")
    @classmethod
    def _is_bound(cls, interval: timedelta | None) -> timedelta:
        if interval is None:
            raise HintedValueError("a page must be asked for at some time", instead="30d")
        return interval

    @model_validator(mode="after")
    def _ordered(self) -> Recrawl:
        low, high = (format_duration(interval) for interval in (self.min_interval, self.max_interval))
        if self.seconds[0] > self.seconds[1]:
            problem = f"`min_interval: {low}` is longer than `max_interval: {high}`"
            raise HintedValueError(problem, instead={"min_interval": high, "max_interval": low}, is_complete=True)
        return self

    @property
    def seconds(self) -> tuple[float, float]:
        """The bounds in seconds."""
        assert self.min_interval is not None, "the validator refuses it"
        assert self.max_interval is not None, "the validator refuses it"
        return self.min_interval.total_seconds(), self.max_interval.total_seconds()


class CrawlSource(_Part):
    """A web site, crawled from its start pages, or from the pages in its sitemaps, its feeds or a list of URLs."""

    kind: ClassVar[Literal["crawl"]] = "crawl"
    format: ClassVar[str] = "warc"

    name: Name = Field(description="Name of the source; part of every document's id.", examples=["notes"])
    start_urls: tuple[WebAddress, ...] = Field(
        default=(),
        description="Pages at which the crawl starts. They may be left out if `sitemaps`, `feeds` or `urls` names "
        "addresses.",
        examples=[["https://example.org/"]],
    )
    sitemaps: Listings = Field(
        default=None,
        description="Sitemaps whose pages are crawled: a list of addresses, or `true` for those that robots.txt names.",
        examples=[["https://example.org/sitemap.xml"]],
    )
    feeds: Listings = Field(
        default=None,
        description="RSS, Atom and JSON feeds whose pages are crawled: a list of addresses, or `true` for those that "
        "start pages announce.",
        examples=[["https://example.org/feed.xml"]],
    )
    urls: str | tuple[str, ...] | None = Field(
        default=None,
        description="Files with a URL per line, at which the crawl starts as well: a path or pattern, or a list of "
        "them, as in `path` of `load`. They are read when a crawl starts.",
        examples=["urls.txt"],
    )
    contact: Annotated[str, AfterValidator(_contact)] = Field(
        description="Address for the site's owner, `mailto:…` or `https://…`; sent in the user agent.",
        examples=["mailto:you@example.org"],
    )
    allow: tuple[Pattern, ...] = Field(
        default=(),
        description="Regular expressions, found anywhere in a URL; only matching URLs are crawled. Empty: all.",
        examples=[["/articles/"]],
    )
    deny: tuple[Pattern, ...] = Field(
        default=(),
        description="Regular expressions, found anywhere in a URL; matching URLs are not crawled.",
        examples=[["/login"]],
    )
    max_pages: int | None = Field(default=10_000, ge=1, description="Maximum number of pages; null: no limit.")
    max_depth: int | None = Field(
        default=None, ge=0, description="Maximum number of links from a start page; null: no limit."
    )
    budgets: CrawlBudgets | None = Field(
        default=None,
        description="What the crawl may use besides `max_pages`, in all and per host; null: no limit.",
        examples=[{"bytes": "10GB", "seconds": "8h", "per_host": {"pages": 1000}}],
    )
    delay: float = Field(default=1.0, ge=0, le=3600, description="Seconds between two requests to a host.")
    allow_private: bool = Field(default=False, description="Also crawl private and loopback addresses.")
    cookies: bool = Field(
        default=False, description="Send the cookies that a host sets back to this host; otherwise, they are ignored."
    )
    respect: Respect = Field(default="all", description=RESPECT_DESCRIPTION, examples=[["noai", "tdm"]])
    select: tuple[Selector, ...] = Field(default=(), description=SELECT_DESCRIPTION, examples=[["article"]])
    drop: tuple[Selector, ...] = Field(default=(), description=DROP_DESCRIPTION, examples=[[".related"]])
    render: bool = Field(
        default=False,
        description="Run the scripts of pages in Chromium and publish the rendered pages. Needs the extra `browser`.",
    )
    refresh: Duration = Field(
        default=None,
        description="Age after which `run` recrawls the site, from nine tenths of it; default: `never`.",
        examples=["7d"],
    )
    recrawl: Recrawl | None = Field(
        default=None,
        description="When a recrawl asks for a page again. Null: each recrawl asks for every page.",
        examples=[{"min_interval": "1d", "max_interval": "30d"}],
    )

    @field_validator("urls")
    @classmethod
    def _not_empty(cls, urls: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        return None if urls is None else _non_empty_paths(urls)

    @model_validator(mode="after")
    def _has_a_beginning(self) -> CrawlSource:
        if not (self.start_urls or self.listed_sitemaps or self.listed_feeds or self.url_files):
            value = "`[]`" if "start_urls" in self.model_fields_set else "missing"
            problem = f"no address to start at: `start_urls` is {value}, and `sitemaps`, `feeds` and `urls` name none"
            hint = "for example `start_urls: ['https://example.org/']`, or list addresses in `sitemaps` or `feeds`"
            raise HintedValueError(problem, hint=hint, at=("start_urls",))
        return self

    @property
    def listed_sitemaps(self) -> tuple[str, ...]:
        """The addresses in `sitemaps`."""
        return self.sitemaps if isinstance(self.sitemaps, tuple) else ()

    @property
    def listed_feeds(self) -> tuple[str, ...]:
        """The addresses in `feeds`."""
        return self.feeds if isinstance(self.feeds, tuple) else ()

    @property
    def url_files(self) -> tuple[str, ...]:
        """The paths in `urls`, as a tuple."""
        return (self.urls,) if isinstance(self.urls, str) else self.urls or ()


BUDGET_FIELDS: Final = ("max_pages", "budgets")
"""Fields of a crawl that may be raised while it keeps its pages."""


def allows_budgets(source: CrawlSource, before: Mapping[str, Any], *, pages: int) -> bool:
    """Return whether a crawl defined by *before*, with so many *pages*, can take the budgets of *source*."""
    old = CrawlBudgets.model_validate(before.get("budgets") or {})
    new = source.budgets or CrawlBudgets()
    return new.covers(old) and (source.max_pages is None or pages <= source.max_pages)


class LoadSource(_Part):
    """Files of one format. Other fields are parameters of the format's loader."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    kind: ClassVar[Literal["load"]] = "load"

    name: Name = Field(description="Name of the source; part of every document's id.", examples=["notes"])
    format: str = Field(min_length=1, description="Name of the loader that reads the files.", examples=["jsonl"])
    path: str | tuple[str, ...] = Field(
        description="File, folder or glob pattern, or a list of them, relative to the recipe's folder; `${NAME}` "
        "is replaced by an environment variable.",
        examples=["data/*.jsonl"],
    )
    license: str | None = Field(
        default=None, description="SPDX expression for records without a license of their own.", examples=["CC-BY-4.0"]
    )
    text_field: str | None = Field(default=None, min_length=1, description="Field that holds the text.")
    id_field: str | None = Field(
        default=None, min_length=1, description="Field with the id of a record.", examples=["id"]
    )
    refresh: Duration = Field(
        default=None,
        description="Age after which `run` loads again, from nine tenths of it; default: `never`.",
        examples=["7d"],
    )

    @field_validator("path")
    @classmethod
    def _not_empty(cls, path: str | tuple[str, ...]) -> str | tuple[str, ...]:
        return _non_empty_paths(path)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the recipe, as a tuple."""
        return (self.path,) if isinstance(self.path, str) else self.path

    @property
    def options(self) -> dict[str, Any]:
        """The parameters of the format's loader."""
        return dict(self.model_extra or {})

    @property
    def loader_params(self) -> dict[str, Any]:
        """The arguments of the format's loader: `options`, and `text_field` and `id_field` if they are set."""
        fields = {"text_field": self.text_field, "id_field": self.id_field}
        return {name: value for name, value in fields.items() if value is not None} | self.options


Source: TypeAlias = CrawlSource | LoadSource
SOURCE_KINDS: Final[dict[str, type[CrawlSource] | type[LoadSource]]] = {"crawl": CrawlSource, "load": LoadSource}


def source_entry(source: Source) -> dict[str, Any]:
    """Return *source* as an entry of a recipe, with all defaults: ``{"load": {"name": …}}``."""
    return {source.kind: source.model_dump(mode="json")}


class StageEntry(_Part):
    """An entry of `stages`: the name of the stage, its parameters, and its name in the plan."""

    name: str
    params: dict[str, Any] = Field(default_factory=dict)
    id: str = Field(description="The name, followed by `_2`, `_3`, … if the recipe has the stage more than once.")


class Split(_Part):
    """Division of the published documents. It uses a hash, so a document stays in its split as the corpus grows."""

    train: Share = 0.98
    validation: Share = 0.01
    test: Share = 0.01
    by: Literal["cluster", "id", "domain"] = Field(
        default="cluster",
        description="Documents that stay in one split: similar documents (`cluster`), documents of a registered domain "
        "(`domain`), or only the document itself (`id`).",
    )
    similarity: float | None = Field(
        default=None,
        ge=0.3,
        le=1,
        description="With `by: cluster`, documents with this Jaccard similarity of their shingles or more are never in "
        "different splits, nor are documents that a chain of such pairs connects. Null: the threshold of `near_dedup`.",
        examples=[0.5],
    )

    @model_validator(mode="after")
    def _whole(self) -> Split:
        if not math.isclose(total := self.train + self.validation + self.test, 1, rel_tol=0, abs_tol=1e-9):
            problem = f"train, validation and test add up to {total:g}, not 1"
            raise HintedValueError(problem, instead=self._rest_shared(), is_complete=True)
        return self

    def _rest_shared(self) -> dict[str, Any]:
        """Return the fields that were set, with the rest of `train` divided between the other splits."""
        left, others = 1 - self.train, self.validation + self.test
        validation = round(left * (self.validation / others if others else 0.5), 9)
        shares = {"validation": validation, "test": round(left - validation, 9)}
        return self.model_dump(mode="json", include=self.model_fields_set | {"train"}) | shares

    @model_validator(mode="after")
    def _similarity_of_clusters(self) -> Split:
        if self.similarity is not None and self.by != "cluster":
            problem = f"`similarity` needs `by: cluster`, got `by: {self.by}`"
            raise HintedValueError(problem, hint="use `by: cluster`, or remove `similarity`")
        return self

    @property
    def shares(self) -> dict[str, float]:
        """The share of each split, in the order of `corpusmill.schemas.document.SPLITS`."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


class Shards(_Part):
    """Size of the files of a version."""

    target_bytes: Bytes = Field(
        default=256_000_000,
        ge=_MIN_SHARD_BYTES,
        le=_MAX_SHARD_BYTES,
        description="UTF-8 bytes of text per shard: a number, or a size such as 256MB (1 MB = 10^6 bytes).",
        examples=["256MB"],
    )


class Checks(_Part):
    """Conditions for publishing a version."""

    max_rejected: Share | None = Field(
        default=None, description="Maximum share of documents in the ledger.", examples=[0.5]
    )
    min_documents: int | None = Field(
        default=1,
        ge=0,
        description="Minimum number of published documents; 0 or null: an empty version can be published.",
        examples=[1000],
    )
    max_error_rate: Share | None = Field(
        default=None, description="Maximum share of records with a rule `error.…`.", examples=[0.01]
    )


class Recipe(_Part):
    """A recipe: everything that determines the content of a version."""

    dataset: Name = Field(description="Name of the data set.", examples=["handbook"])
    sources: tuple[Source, ...] = Field(
        min_length=1, examples=[[{"load": {"name": "notes", "format": "jsonl", "path": "data/*.jsonl"}}]]
    )
    stages: tuple[StageEntry, ...] = Field(default=(), examples=[["normalize", "exact_dedup"]])
    split: Split = Split()
    shards: Shards = Shards()
    checks: Checks = Field(default=Checks(), examples=[{"max_rejected": 0.5}])
    incremental: bool = Field(
        default=False,
        description="Make the current version an input: comparing stages (`near_dedup`) carry its decisions over and "
        "compare only new documents, and those whose decisions these may change. The documents are those of a run "
        "without it. Published with the table that the next run needs.",
    )

    @field_validator("sources", mode="before")
    @classmethod
    def _read_sources(cls, entries: Any) -> Any:
        return tuple(map(_read_source, entries)) if isinstance(entries, (list, tuple)) else entries

    @field_validator("stages", mode="before")
    @classmethod
    def _read_stages(cls, entries: Any) -> Any:
        return number_stages(entries) if isinstance(entries, (list, tuple)) else entries

    @field_validator("sources")
    @classmethod
    def _distinct(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        twice = [name for name, times in Counter(source.name for source in sources).items() if times > 1]
        if twice:
            raise HintedValueError(f"two sources have the name `{twice[0]}`", hint="give each source its own name")
        return sources

    @field_serializer("sources")
    def _write_sources(self, sources: tuple[Source, ...]) -> list[dict[str, Any]]:
        return [source_entry(source) for source in sources]

    @field_serializer("stages")
    def _write_stages(self, stages: tuple[StageEntry, ...]) -> list[Any]:
        return [{stage.name: stage.params} if stage.params else stage.name for stage in stages]

    def source(self, name: str) -> Source:
        """Return the source *name*.

        Raises:
            KeyError: There is no such source.
        """
        for source in self.sources:
            if source.name == name:
                return source
        raise KeyError(name)


def _read_source(entry: Any) -> Any:
    match entry:
        case CrawlSource() | LoadSource():
            return entry
        case {"crawl": dict() as fields, **rest} if not rest:
            return CrawlSource.model_validate_json(json.dumps(fields))
        case {"load": dict() as fields, **rest} if not rest:
            return LoadSource.model_validate_json(json.dumps(fields))
    raise ValueError("a source is `crawl: {…}` or `load: {…}`")


def number_stages(entries: list[Any] | tuple[Any, ...]) -> tuple[StageEntry, ...]:
    """Return the stages in *entries* (``"name"``, ``{"name": {…}}`` or `StageEntry`), with their ids.

    >>> [stage.id for stage in number_stages(["stem", "pii", {"stem": {"into": "again"}}])]
    ['stem', 'pii', 'stem_2']
    """
    seen: Counter[str] = Counter()
    stages = []
    for entry in entries:
        name, params = _read_stage(entry)
        seen[name] += 1
        stages.append(StageEntry(name=name, params=params, id=f"{name}_{seen[name]}" if seen[name] > 1 else name))
    return tuple(stages)


def _read_stage(entry: Any) -> tuple[str, dict[str, Any]]:
    match entry:
        case StageEntry():
            return entry.name, entry.params
        case str():
            return entry, {}
        case dict() if len(entry) == 1:
            name, params = next(iter(entry.items()))
            if isinstance(name, str) and isinstance(params, dict | None):
                return name, params or {}
    raise ValueError("a stage is a name, or a name with its parameters: `name: {…}`")
