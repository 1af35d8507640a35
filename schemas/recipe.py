"""Models of a recipe: sources, stages, splits, shards and checks.

The models are strict and independent of files. `pipelines.recipes.reading` reads YAML with line numbers, resolves
stages and loaders, and reports all errors at once. `Recipe.model_dump(mode="json")` has the form of a recipe file.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_serializer,
    field_validator,
    model_validator,
)

from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.expectations import COMMENT
from corpusmill.schemas.field_types import Duration, Name, Part, non_empty_paths
from corpusmill.schemas.problems import HintedValueError
from corpusmill.schemas.quantities import SIZE_PATTERN, size_of

_MIN_SHARD_BYTES: Final = 10**3
_MAX_SHARD_BYTES: Final = 10**12

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
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class LoadSource(Part):
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
        return non_empty_paths(path)

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


class StageEntry(Part):
    """An entry of `stages`: the name of the stage, its parameters, and its name in the plan."""

    name: str
    params: dict[str, Any] = Field(default_factory=dict)
    id: str = Field(description="The name, followed by `_2`, `_3`, … if the recipe has the stage more than once.")


class Split(Part):
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


class Shards(Part):
    """Size of the files of a version."""

    target_bytes: Bytes = Field(
        default=256_000_000,
        ge=_MIN_SHARD_BYTES,
        le=_MAX_SHARD_BYTES,
        description="UTF-8 bytes of text per shard: a number, or a size such as 256MB (1 MB = 10^6 bytes).",
        examples=["256MB"],
    )


class Checks(Part):
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


class Recipe(Part):
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
