"""The command that removes near duplicates from files, without a workspace: `dedup`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from corpusmill.commands.numbers import NumberRange
from corpusmill.commands.sizes import memory_option
from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.terminal.console import Console
from corpusmill.terminal.figures import plural

if TYPE_CHECKING:
    from corpusmill.pipelines.engines.local import LocalEngine

KEEP: Final = ("oldest", "newest", "longest")
"""The values of ``--keep``. They repeat `ranks.Keep`, whose import is slow."""
MIN_THRESHOLD: Final = 0.3
"""The least threshold. It repeats that of the stage, whose import is slow."""
_JSON_LINES: Final = "jsonl"
_SMALL_BYTES: Final = 50_000_000
"""Size of the files up to which starting processes takes longer than it saves."""


def _refuse_url(_context: click.Context, _parameter: click.Parameter, out: Path) -> Path:
    """Check that *out* is no address of an object store: a path with its name would be made on this machine.

    Raises:
        UsageError: It is one.
    """
    scheme, _, rest = str(out).partition(":/")
    if rest and scheme.isalnum() and len(scheme) > 1:
        raise UsageError(
            f"`--out`: {scheme}:// is not a folder of this machine",
            hint="write to a local folder, then copy it to the store",
        )
    return out


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    callback=_refuse_url,
    help="Folder to write on this machine; new or empty.",
)
@click.option(
    "--threshold",
    type=NumberRange(MIN_THRESHOLD, 1),
    default=0.8,
    show_default=True,
    help="Least Jaccard similarity of the 5-grams of words of two duplicates.",
)
@click.option("--column", "text", default="text", show_default=True, metavar="NAME", help="Column of the texts.")
@click.option(
    "--id-column",
    "id_column",
    metavar="NAME",
    help="Column of the ids.  [default: id; if no file has it, the hash of the text]",
)
@click.option(
    "--against",
    multiple=True,
    metavar="DIR",
    help="Also remove what is similar to a document of these files; repeatable.",
)
@click.option(
    "--keep",
    type=click.Choice(KEEP),
    default="oldest",
    show_default=True,
    help="Which of several similar documents to keep. Age is `fetched_at` where there is one; then the least id.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Worker processes; 0 or 1 runs everything in this process.  [default: one per CPU, or 0 for small files]",
)
@memory_option
@click.pass_obj
def dedup(
    console: Console,
    paths: tuple[str, ...],
    out: Path,
    threshold: float,
    text: str,
    id_column: str | None,
    against: tuple[str, ...],
    keep: Any,
    workers: int | None,
    memory_bytes: int | None,
) -> None:
    """Remove near duplicates from Parquet or JSON Lines files.

    PATH is a file, a folder or a pattern. Needs no workspace and no recipe. Writes kept-*.parquet, with all columns of
    the files, and ledger-*.parquet, which names each removed record, the kept one that it duplicates, and their
    similarity. A run that was interrupted is resumed by the same command.
    """
    from corpusmill.schemas.without_pandas import do_without_pandas

    if console.store and console.store != os.environ.get("CORPUSMILL_STORE"):
        console.warn("`--store` has no effect: `dedup` reads and writes files of this machine")
    do_without_pandas()

    from corpusmill.pipelines.file_dedup.job import Options, job_of
    from corpusmill.pipelines.file_dedup.run import deduplicate
    from corpusmill.pipelines.stages.dedup.near import RULE, NearDedup
    from corpusmill.terminal.progress import Lines

    loader = console.parts["acquisition"].loaders[_JSON_LINES]
    files = _files(paths, argument="PATH", loader=loader, out=out)
    others = _files(against, argument="--against", loader=loader, out=out) if against else []
    options = Options(text=text, id=id_column, keep=keep)
    job = job_of(files, others, options, stage=NearDedup(threshold=threshold), rule=RULE, json_loader=loader)
    engine = _engine([*files, *others], workers, memory_bytes)
    observer = None if console.quiet else Lines(console)
    try:
        figures = deduplicate(job, out, engine, observer=observer)
    except KeyboardInterrupt:
        engine.close(at_once=True)
        raise
    finally:
        engine.close()
    for warning in _warnings(figures, text):
        console.warn(warning)
    if console.as_json:
        console.data(figures)
    else:
        console.text(_figures_as_text(figures))


def _files(patterns: Sequence[str], *, argument: str, loader: str, out: Path) -> list[Path]:
    """Return the files that match *patterns*, without those in the folder *out*.

    A file that has several paths, because of links, is read once, under the least of them.

    Raises:
        UsageError: No file matches, or a link is broken.
    """
    from corpusmill.crawlers.patterns import matching_files
    from corpusmill.pipelines.engines.base import resolve
    from corpusmill.pipelines.file_dedup.inputs import PARQUET_SUFFIXES

    suffixes = (*PARQUET_SUFFIXES, *resolve(loader).suffixes)

    def matching(pattern: str) -> Iterator[Path]:
        try:
            matches = matching_files(pattern, base=Path.cwd(), suffixes=suffixes, follow_links=True)
        except SourceError as error:
            raise UsageError(
                f"`{argument}`: {error.message}", hint=error.hint, file=error.file, value=pattern
            ) from error
        paths = [match.path for match in matches]
        yield from _documents_only(paths) if Path(pattern).is_dir() else paths

    own = out.resolve()
    paths = sorted((path for pattern in patterns for path in matching(pattern)), key=bytes, reverse=True)
    files = {path.resolve(): path for path in paths}
    left = [path for real, path in files.items() if not (own.is_dir() and real.is_relative_to(own))]
    if not left:
        raise UsageError(f"`{argument}`: all files are in {out}", hint="write to another folder: `--out DIR`")
    return left


def _documents_only(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield *paths*, found in a folder, without what this program wrote beside documents.

    These are ledgers in outputs of this command, and in published versions all files that are not shards.
    """
    folders = {path.parent for path in paths}
    outputs = {path.parent for path in paths if path.match("kept-*.parquet")}
    shards = {folder: names for folder in folders if (names := _shards(folder)) is not None}
    for path in paths:
        is_ledger = path.match("ledger-*.parquet") and path.parent in outputs
        if not is_ledger and path.name in shards.get(path.parent, (path.name,)):
            yield path


def _shards(folder: Path) -> frozenset[str] | None:
    """Return the names of the files with documents in *folder*, or None if it is not a published version."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        return frozenset(file["path"] for file in manifest["files"]) if "dataset" in manifest else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _engine(files: Sequence[Path], workers: int | None, memory_bytes: int | None) -> LocalEngine:
    """Return the engine: this process for one worker, unless its memory is bounded, which needs a process to watch."""
    from corpusmill.pipelines.engines.local import LocalEngine

    if workers is None and sum(path.stat().st_size for path in files) <= _SMALL_BYTES:
        workers = 0
    if memory_bytes is None:
        return LocalEngine(0 if workers == 1 else workers)
    return LocalEngine(workers or 1 if workers is not None else None, memory_bytes=memory_bytes)


def _warnings(figures: Mapping[str, Any], text: str) -> Iterator[str]:
    """Yield what a user would not expect of the records that were read."""
    if figures["set_aside"]:
        yield f"{plural(figures['set_aside'], 'record')} could not be read: the ledger says why (`rule`, `message`)"
    if figures["reference_set_aside"]:
        records = plural(figures["reference_set_aside"], "record")
        yield f"{records} of `--against` could not be read, the first one: {figures['reference_message']}"
    if figures["without_text"]:
        yield f"{plural(figures['without_text'], 'record')} without text in `{text}`: kept, and a duplicate of none"
    if figures["without_time"]:
        records = plural(figures["without_time"], "record")
        yield f"{records} whose `fetched_at` is not a time: ordered like those without one"
    if figures["changed"]:
        yield (
            f"{plural(figures['changed'], 'record')} with values that no column can hold: half a surrogate pair became "
            "U+FFFD, a number beyond 1.8e308 infinite"
        )


def _figures_as_text(figures: Mapping[str, Any]) -> str:
    removed = f"{figures['removed']:,} removed as near duplicates"
    aside = f", {figures['set_aside']:,} set aside" if figures["set_aside"] else ""
    return f"kept {figures['kept']:,} of {plural(figures['read'], 'record')}, {removed}{aside}\n  {figures['out']}"
