"""The commands that acquire sources and run recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from corpusmill.commands.partitions import partition_option, share_of, wait_option
from corpusmill.commands.place import workspace_of
from corpusmill.commands.sizes import memory_option
from corpusmill.schemas.errors import UnfinishedError, UsageError
from corpusmill.terminal.console import Console, table
from corpusmill.terminal.figures import crawled_lines, gone_lines, moment, plural, refused_lines, registered_lines, size
from corpusmill.terminal.progress import WRITE, ends_line, label

if TYPE_CHECKING:
    from corpusmill.schemas.partition import Partition, Share

RECIPE = click.argument("recipe", type=click.Path(path_type=Path))
_EXIT_WARNINGS: Final = 4
_RULES_SHOWN: Final = 5
"""Rules of a crawl that the result of a run lists; the report has all."""


@click.command()
@RECIPE
@click.option("--engine", default="local", show_default=True, help="Engine: local, spark or beam.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Worker processes; 0 runs everything in this process.  [default: one per CPU]",
)
@memory_option
@click.option("--master", help="Spark master, such as local[2] or spark://host:7077.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="Only the N documents with the smallest ids, published as <dataset>-sample.",
)
@click.option("--accept", is_flag=True, help="Publish even if a check fails.")
@click.option("--fresh", is_flag=True, help="Recompute everything; reuse nothing.")
@click.option("--strict", is_flag=True, help="Exit with 4 if there are warnings other than about unknown licenses.")
@click.pass_obj
def run(console: Console, /, recipe: Path, strict: bool, **options: Any) -> int:
    """Run RECIPE and publish a version of its data set.

    Results of earlier runs are reused. A run that was interrupted resumes where it stopped.
    """
    from corpusmill.pipelines.api import run_recipe
    from corpusmill.pipelines.dataset.licensing import license_warning
    from corpusmill.pipelines.engines.driver import Silent
    from corpusmill.terminal.progress import Lines

    console.say(f"running {recipe}")
    result = run_recipe(
        recipe,
        workspace=workspace_of(console),
        acquisition=console.parts["acquisition"],
        observer=Silent() if console.quiet else Lines(console),
        **options,
    )
    license_problem = license_warning(result["unknown_licenses"])
    for warning in (*result["warnings"], *([license_problem] if license_problem else [])):
        console.warn(warning)
    if console.as_json:
        console.data(result)
    else:
        console.text(_result_as_text(result))
    return _EXIT_WARNINGS if strict and result["warnings"] else 0


def _result_as_text(result: Mapping[str, Any]) -> str:
    counts = result["counts"]
    lines = [
        f"{result['status']} {result['dataset']}@{result['version']}: {counts['published']:,} of "
        f"{plural(counts['read'], 'record')} published, {counts['ledger']:,} in the ledger"
    ]
    if all(step["cached"] for step in result["steps"]):
        lines.append(f"every step was reused ({len(result['steps'])} of {len(result['steps'])})")
    lines += [f"  {result['path']}", f"  {result['path']}/report.html"]
    lines += gone_lines(result["gone"])
    lines += refused_lines(result["refused"], rules=_RULES_SHOWN)
    return "\n".join(lines)


@click.command()
@RECIPE
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Plan for a run with the same --limit.")
@click.pass_obj
def plan(console: Console, recipe: Path, limit: int | None) -> None:
    """Show the stages of RECIPE, which of them would be reused, and why the others would not.

    Nothing is fetched or stored. Documents and disk space are estimated from a small sample of the files.
    """
    from corpusmill.pipelines.planning.contents import content_warnings
    from corpusmill.pipelines.planning.explain import explain_plan
    from corpusmill.pipelines.planning.order import late_extraction
    from corpusmill.pipelines.planning.reading import read_recipe

    workspace, acquisition = workspace_of(console), console.parts["acquisition"]
    explained = explain_plan(recipe, workspace=workspace, acquisition=acquisition, limit=limit)
    loaded = read_recipe(recipe, workspace, acquisition)
    warnings = [*explained["warnings"], *late_extraction(loaded), *content_warnings(loaded)]
    for warning in warnings:
        console.warn(warning)
    if console.as_json:
        console.data(explained)
        return
    console.text("\n".join(_plan_lines(explained)))


def _plan_lines(explained: Mapping[str, Any]) -> list[str]:
    """Format the plan: a row for each stage, which may have several steps, and the estimates."""
    lines = [table(_stage_rows(explained["steps"]), ["stage", "action", "documents", "reason"]), ""]
    lines += [f"source `{name}`: {change}" for name, change in explained["sources_changed"].items()]
    if explained["sources_due"]:
        names = ", ".join(f"`{name}`" for name in explained["sources_due"])
        lines.append(f"older than `refresh`, so `run` acquires them first, which may change the plan: {names}")
    not_estimated = explained["sources_not_estimated"]
    if not_estimated:
        names = ", ".join(f"`{name}`" for name in not_estimated)
        lines.append(f"to be crawled, and not part of the estimates: {names}")
    documents = explained["documents"]
    if documents is not None and documents["read"]:
        read, compared = documents["read"], documents["compared"]
        left = "" if compared == read else f", about {compared:,} left for the stages that compare documents"
        lines.append(f"documents: about {read:,}{left}")
    needed, kept = size(explained["disk_bytes"]), size(explained["disk_kept_bytes"])
    lines.append(f"disk: about {needed} needed, {kept} kept")
    return lines


def _stage_rows(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each stage. The reason is that of its first step that has to be computed."""
    rows: dict[str, dict[str, Any]] = {}
    for step in steps:
        name = label(step["name"])
        row = rows.setdefault(name, {"stage": name, "action": "reuse", "documents": None, "reason": step["reason"]})
        if row["action"] == "reuse" and not step["cached"]:
            row |= {"action": "compute", "reason": _without_inner_steps(step["reason"])}
        if ends_line(step["name"]) and name != WRITE:
            row["documents"] = step["rows"]
    return list(rows.values())


def _without_inner_steps(reason: str) -> str:
    """Replace the names of steps in *reason* by those of stages.

    >>> _without_inner_steps("its input near_dedup.signatures changes")
    'its input near_dedup changes'
    """
    if not reason.startswith("its input "):
        return reason
    return " ".join(label(word) if "." in word or word.startswith(":") else word for word in reason.split(" "))


@click.command()
@RECIPE
@click.option("--source", metavar="NAME", help="Only this source.")
@click.option("--recrawl", is_flag=True, help="Start from the pages of the last crawl, and fetch only what changed.")
@partition_option
@wait_option
@click.pass_obj
def crawl(
    console: Console,
    recipe: Path,
    source: str | None,
    recrawl: bool,
    partition: Partition | None,
    wait_s: float | None,
) -> None:
    """Crawl the sites of RECIPE, or resume a crawl that was interrupted.

    With --partition, several machines with the same --store divide the hosts. Each crawls its own, and exits with 5
    while others still have work.
    """
    share = share_of(partition, wait_s, recrawl=recrawl)
    _acquire(console, recipe, kind="crawl", only=source, recrawl=recrawl, share=share)


@click.command()
@RECIPE
@click.option("--source", metavar="NAME", help="Only this source.")
@click.option("--copy", is_flag=True, help="Copy the files into the workspace, so that the originals can change.")
@click.pass_obj
def load(console: Console, recipe: Path, source: str | None, copy: bool) -> None:
    """Register the files of RECIPE in place."""
    _acquire(console, recipe, kind="load", only=source, copy=copy)


def _acquire(
    console: Console,
    recipe: Path,
    *,
    kind: str,
    only: str | None,
    copy: bool = False,
    recrawl: bool = False,
    share: Share | None = None,
) -> None:
    from corpusmill.schemas.without_pandas import do_without_pandas

    if kind == "crawl":  # neither a stage nor a loader of a user runs
        do_without_pandas()

    from corpusmill.pipelines.engines.driver import Silent
    from corpusmill.pipelines.planning.reading import read_recipe
    from corpusmill.pipelines.running.sources import acquire
    from corpusmill.schemas.problems import nearest
    from corpusmill.terminal.progress import Lines

    workspace = workspace_of(console)
    loaded = read_recipe(recipe, workspace, console.parts["acquisition"])
    sources = [source for source in loaded.recipe.sources if source.kind == kind and only in (None, source.name)]
    if not sources:
        names = ", ".join(f"{s.name} ({s.kind})" for s in loaded.recipe.sources)
        near = nearest(only, [source.name for source in loaded.recipe.sources]) if only else None
        raise UsageError(
            f"{recipe} has no source to {kind}{f' called {only!r}' if only else ''}",
            hint=f"did you mean `{near}`?; it has: {names}" if near else f"it has: {names}",
        )
    workspace.make()
    unfinished: UnfinishedError | None = None
    for source in sources:
        part = f", partition {share.partition}" if share else ""
        console.say(f"{'recrawl' if recrawl else kind} {source.name}{part}")
        observer = Silent() if console.quiet else Lines(console)
        acquisition = console.parts["acquisition"]
        how: dict[str, Any] = {"force": True, "copy": copy, "recrawl": recrawl, "share": share}
        try:
            manifest = acquire(loaded, source, workspace, acquisition, observer=observer, **how)
        except UnfinishedError as error:
            if share is None or source is sources[-1]:
                raise
            console.warn(str(error))  # other machines have work; the next source need not wait for them
            unfinished = error
            continue
        if recrawl and not manifest.generation:
            console.say(f"{source.name}: there was no finished crawl of this definition, so every page was fetched")
        total = sum(file.size for file in manifest.files)
        result = {"source": source.name, "files": len(manifest.files), "bytes": total, "counts": manifest.counts}
        if manifest.statistics is not None:
            result["statistics"] = manifest.statistics.as_json()
        if console.as_json:
            console.data(result)
        else:
            console.text("\n".join(registered_lines(manifest) if kind == "load" else crawled_lines(manifest)))
    if unfinished is not None:
        raise unfinished


@click.command()
@click.argument("dataset", required=False)
@click.pass_obj
def runs(console: Console, dataset: str | None) -> None:
    """List the runs, newest first."""
    rows = workspace_of(console).runs(dataset)
    if console.as_json:
        for row in rows:
            console.data(row)
        return
    columns = ["run", "dataset", "engine", "status", "version", "started (UTC)", "ended (UTC)", "message"]
    shown = [
        {**row, "started (UTC)": moment(row["started_at"]), "ended (UTC)": moment(row["ended_at"])} for row in rows
    ]
    console.text(table(shown, columns) if rows else "no runs yet")


@click.command()
@click.option(
    "--keep",
    type=click.IntRange(1),
    metavar="N",
    help="Keep the intermediate results of the N newest versions of each data set only.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@click.pass_obj
def gc(console: Console, keep: int | None, dry_run: bool) -> None:
    """Remove intermediate results that no kept version and no active run needs. Published versions stay."""
    from corpusmill.pipelines.dataset.garbage import collect

    removed = collect(workspace_of(console), keep=keep, dry_run=dry_run)
    if console.as_json:
        console.data(removed)
    else:
        verb = "would remove" if dry_run else "removed"
        counts = f"{plural(removed['tasks'], 'task')} and {plural(removed['steps'], 'step')}"
        console.text(f"{verb} {counts}, {size(removed['bytes'])}")
