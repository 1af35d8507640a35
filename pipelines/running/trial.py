"""Pass one document through all stages and report every change. Runs the functions of a run, but writes nothing."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import resolve, with_columns_of
from corpusmill.pipelines.engines.context import TaskContext, running, task
from corpusmill.pipelines.planning.contents import contents_of
from corpusmill.pipelines.planning.reading import read_recipe
from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.planning.sources import Acquisition, source_input
from corpusmill.pipelines.recipes.reading import LoadedRecipe
from corpusmill.pipelines.stages.apply import Apply
from corpusmill.pipelines.stages.base import Stage
from corpusmill.pipelines.stages.read import Read, raw_row
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.hashing import file_sha256
from corpusmill.schemas.recipe import LoadSource
from corpusmill.schemas.storage import open_store

MAX_RECORDS: Final = 5
"""Records of a file that are shown at most."""
_SHOWN: Final = 120


def trial(recipe: str | Path, document: str, *, workspace: Workspace, acquisition: Acquisition) -> list[dict[str, Any]]:
    """Return what each stage does with each record of *document* (a file, or the URL of a crawled page).

    Raises:
        UsageError: The file or page does not exist, or no source of the recipe reads it.
    """
    loaded = read_recipe(recipe, workspace, acquisition)
    with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder:
        context = TaskContext(open_store(Path(folder)), "trial", partition=0)
        with running(context):
            if "://" in document:
                records = list(_crawled(loaded, document, workspace, acquisition))
            else:
                records = list(itertools.islice(_records(loaded, Path(document), acquisition), MAX_RECORDS))
            return [_trace(loaded, record) for record in records]


def _records(loaded: LoadedRecipe, path: Path, acquisition: Acquisition) -> Iterator[pa.RecordBatch]:
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="pass a file, or the URL of a crawled page")
    source, loader, params = _reader_of(loaded, path, acquisition)
    row = raw_row(
        source=source,
        path=str(path),
        name=path.name,
        sha256=file_sha256(path),
        start=0,
        end=-1,
        loader=loader,
        params=params,
        license=None,
    )
    yield from _rows(row)


def _rows(row: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    for batch in Read().build()(iter([pa.RecordBatch.from_pylist([row])])):
        yield from (batch.slice(index, 1) for index in range(batch.num_rows))


def _reader_of(loaded: LoadedRecipe, path: Path, acquisition: Acquisition) -> tuple[str, str, str]:
    """Return the name, loader and parameters of the source that reads files like *path*. Any recipe reads HTML."""
    for source in loaded.recipe.sources:
        if isinstance(source, LoadSource):
            loader = loaded.loaders[source.name]
            if path.name.endswith(tuple(loader.suffixes)):  # type: ignore[attr-defined]
                return source.name, acquisition.loaders[source.format], loader.model_dump_json()
    for name, place in acquisition.loaders.items():
        if path.name.endswith(tuple(resolve(place).suffixes)):
            return name, place, "{}"
    raise UsageError(f"no source of the recipe reads {path.name}", hint=f"formats: {', '.join(acquisition.loaders)}")


def _crawled(
    loaded: LoadedRecipe, url: str, workspace: Workspace, acquisition: Acquisition
) -> Iterator[pa.RecordBatch]:
    for source in loaded.recipe.sources:
        manifest = workspace.raw_manifest(source.name)
        if manifest is None or manifest.kind != "crawl":
            continue
        pages = source_input(loaded, source, manifest, workspace, acquisition.loaders)
        matches = list(itertools.islice(_pages(pages, url), 1))
        if matches:
            yield from matches
            return
    raise UsageError(f"no crawled page has the URL {url}", hint="crawl the site first with `corpusmill crawl RECIPE`")


def _pages(source: SourceInput, url: str) -> Iterator[pa.RecordBatch]:
    for file in source.manifest.files:
        row = raw_row(
            source=source.name,
            path=source.path(file),
            name=file.name,
            sha256=file.sha256,
            start=0,
            end=-1,
            loader=source.loader,
            params=source.params,
            license=None,
        )
        for record in _rows(row):
            if url in (record["url"][0].as_py(), record["source_id"][0].as_py()):
                yield record


def _trace(loaded: LoadedRecipe, record: pa.RecordBatch) -> dict[str, Any]:
    stages = [_stage("read", record, record)]
    names = (entry.id for entry in loaded.recipe.stages)
    for name, stage in zip(names, loaded.stages, strict=True):
        if type(stage).steps is not Stage.steps:
            verdict: dict[str, Any] = {"verdict": "skipped", **dict.fromkeys(("rule", "value", "threshold"))}
            stages.append({"stage": name, **verdict, "change": "compares documents", "columns": {}})
            continue
        for suffix, inner in stage.sub_stages():
            before, step = record, f"{name}.{suffix}" if suffix else name
            task().sides = dict.fromkeys(inner.sides(), _discard)
            task().contents = {one.name: one for one in contents_of(step, inner, base=loaded.path.parent)}
            record = with_columns_of(record, Apply.of(step, inner).build()(record))
            stages.append(_stage(step, before, record))
    row = record.to_pylist()[0]
    return {
        "id": row["id"],
        "source_id": row["source_id"],
        "url": row["url"],
        "title": row["title"],
        "loader": row["source"],
        "text": row["text"],
        "stages": stages,
    }


def _discard(_: pa.RecordBatch) -> None:
    """Discard rows of a side table."""


def _stage(name: str, before: pa.RecordBatch, after: pa.RecordBatch) -> dict[str, Any]:
    old, new = before.to_pylist()[0], after.to_pylist()[0]
    met = new["rule"] is not None and (old["rule"] is None or before is after)
    passed_by = old["rule"] is not None and before is not after
    columns = {key: _short(value) for key, value in new.items() if key not in CAPTURE.names and key not in old}
    columns |= {
        key: _short(new[key])
        for key in ("title", "language", "license", "published_at")
        if new[key] is not None and new[key] != old.get(key)
    }
    return {
        "stage": name,
        "verdict": "rejected" if met else "passed by" if passed_by else "kept",
        "rule": new["rule"] if met else None,
        "value": new["value"] if met else None,
        "threshold": new["threshold"] if met else None,
        "change": "" if before is after else _change(before["text"], after["text"]),
        "columns": columns,
    }


def _short(value: Any) -> Any:
    return value[:_SHOWN] if isinstance(value, str) else value


def _change(before: pa.Array, after: pa.Array) -> str:
    if before.equals(after) or after[0].as_py() is None:
        return ""
    old, new = (pc.fill_null(pc.utf8_length(column), 0)[0].as_py() for column in (before, after))
    return f"{old:,} to {new:,} characters"
