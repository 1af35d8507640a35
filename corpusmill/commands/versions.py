"""The commands that list, compare, name and check versions."""

from __future__ import annotations

import json
import shutil
import tempfile
import webbrowser
from pathlib import Path
from typing import Any, Final

import click

from corpusmill.commands.numbers import NumberRange
from corpusmill.commands.place import workspace_of
from corpusmill.schemas.errors import ChecksFailedError, DamagedFileError, UsageError
from corpusmill.terminal.console import Console, table
from corpusmill.terminal.figures import moment, plural, refused_lines, size

_EXIT_WARNINGS: Final = 4
_RULES_SHOWN: Final = 10
_MAX_EXAMPLES: Final = 100_000
_ALL_FILES: Final = "all files"
"""The size of a version: shards, ledger, signals and descriptions. A report states that of the shards."""
_SHORT: Final = 8
"""Characters of a version id in file names and table headings."""


def _open(console: Console, name: str) -> Any:
    from corpusmill.pipelines.dataset.version import open_version

    return open_version(name, workspace_of(console))


def _workspace(console: Console) -> Any:

    return workspace_of(console)


@click.command()
@click.argument("dataset", required=False)
@click.pass_obj
def versions(console: Console, dataset: str | None) -> None:
    """List the versions of DATASET, or of all data sets, newest first.

    A version that was published several times, or rolled back to, is listed once for each time.
    """
    from corpusmill.pipelines.dataset.history import history

    rows = history(_workspace(console), dataset)
    if not rows:
        console.say("no versions yet: `corpusmill run RECIPE` publishes one")
    elif console.as_json:
        for row in rows:
            console.data(row)
    else:
        shown = [_publication(row) for row in rows]
        console.text(
            table(shown, ["", "dataset", "version", "action", "at (UTC)", "documents", _ALL_FILES, "tags", "parent"])
        )
        console.say("* current version: used where only the data set is named")


def _publication(row: dict[str, Any]) -> dict[str, Any]:
    """Return a publication as a row of the table for people."""
    words = {"": "*" if row["current"] else "", "tags": ", ".join(row["tags"])}
    return {**row, **words, "at (UTC)": moment(row["at"]), _ALL_FILES: size(row["bytes"])}


@click.command()
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option(
    "--examples",
    type=click.IntRange(0, _MAX_EXAMPLES),
    default=3,
    show_default=True,
    help="Documents to show of each kind.",
)
@click.pass_obj
def diff(console: Console, old: str, new: str, examples: int) -> None:
    """Compare two versions: added, removed and changed documents, and the rules that removed them.

    Name a version as dataset@id, dataset@tag, dataset (its current version), or by its folder.
    """
    from corpusmill.pipelines.dataset.diff import diff as compare

    result = compare(_open(console, old), _open(console, new), examples=examples)
    if console.as_json:
        console.data(result)
    else:
        console.text(_diff_as_text(result))


def _diff_as_text(result: dict[str, Any]) -> str:
    kinds = ["added", "removed", "changed", "unchanged"]
    lines = [f"{result['old']['name']} -> {result['new']['name']}", ""]
    lines += [table([{name: result[name] for name in kinds}], kinds), ""]
    if len(result["by_source"]) > 1:
        lines += [table([{"source": name, **row} for name, row in result["by_source"].items()], ["source", *kinds]), ""]
    if result["by_rule"]:
        rows = [{"rule": name, **row} for name, row in result["by_rule"].items()]
        lines += [table(rows, ["rule", "removed", "added"]), ""]
        lines += [
            "removed: published in A, rejected in B by this rule; added: rejected in A by this rule, published in B",
            "",
        ]
    for kind, documents in result["examples"].items():
        for document in documents:
            lines += _example_lines(kind, document)
        if more := result[kind] - len(documents):
            option = f"--examples {min(result[kind], _MAX_EXAMPLES)}"
            shown = "shows all" if result[kind] <= _MAX_EXAMPLES else f"shows {_MAX_EXAMPLES:,} of them"
            lines += [f"… and {plural(more, f'more {kind} document')}; `{option}` {shown}", ""]
    return "\n".join(lines).rstrip()


def _example_lines(kind: str, document: dict[str, Any]) -> list[str]:
    name = document["title"] or document["url"] or document["source_id"]
    rule = f"  ({document['rule']})" if document.get("rule") else ""
    body = document.get("changes") or document["text"].splitlines()[:3]
    place = document["url"] or f"{document['source']}: {document['source_id']}"
    return [f"{kind}  {document['id']}  {name}{rule}", f"    {place}", *(f"    {line}" for line in body), ""]


@click.command()
@click.argument("version")
@click.argument("name")
@click.option("--delete", is_flag=True, help="Remove the tag.")
@click.option("--force", is_flag=True, help="Move the tag if another version has it.")
@click.pass_obj
def tag(console: Console, version: str, name: str, delete: bool, force: bool) -> None:
    """Give VERSION a second name, used as dataset@NAME."""
    from corpusmill.pipelines.dataset import history

    opened = _open(console, version)
    if delete:
        history.remove_tag(_workspace(console), opened, name)
        status = "removed"
    else:
        status = "tagged" if history.tag(_workspace(console), opened, name, force=force) else "unchanged"
    manifest = opened.manifest
    if console.as_json:
        console.data({"status": status, "dataset": manifest.dataset, "version": manifest.version, "tag": name})
    else:
        console.text(f"{status}: {manifest.dataset}@{name} {'was' if delete else 'is'} {opened.name}")


@click.command()
@click.argument("dataset")
@click.argument("version", required=False)
@click.pass_obj
def rollback(console: Console, dataset: str, version: str | None) -> None:
    """Make VERSION, by default the previous one, the current version of DATASET.

    VERSION is an id or a tag. No version is removed, and the next run publishes a new one as usual.
    """
    from corpusmill.pipelines.dataset import history

    name, at, inside = dataset.partition("@")
    if at and version is not None:
        raise UsageError(
            f"two versions were named: {inside} and {version}", hint=f"name one: `corpusmill rollback {name} {version}`"
        )
    what = (inside if at else version) or None
    if what is not None and what.startswith(f"{name}@"):
        what = what.removeprefix(f"{name}@")
    current, before = history.rollback(_workspace(console), name, what)
    status = "unchanged" if current.manifest.version == before else "rolled back"
    result = {
        "status": status,
        "dataset": name,
        "version": current.manifest.version,
        "previous": before,
        "path": current.address,
    }
    if console.as_json:
        console.data(result)
    else:
        was = "" if status == "unchanged" else f", was {before}"
        console.text(f"{status}: {name} is {current.name}{was}\n  {current.address}")


@click.command()
@click.argument("version")
@click.option("--compare", metavar="OTHER", help="Version to compare with.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File to write a comparison to.  [default: in the current folder]",
)
@click.option("--open", "open_", is_flag=True, help="Open the report in a browser.")
@click.pass_obj
def report(console: Console, version: str, compare: str | None, out: Path | None, open_: bool) -> None:
    """Show the quality report of VERSION, or compare VERSION with another version."""
    opened = _open(console, version)
    own = None if compare is not None or out is not None else opened.store.path("report.html")
    if own is not None and own.is_file():
        path, figures = own, json.loads(opened.store.read("report.json"))
    else:
        other = None if compare is None else _open(console, compare)
        path = out or Path(_report_name(opened, other))
        figures = _write_report(opened, other, path)
    if console.as_json:
        console.data({**figures, "path": str(path.absolute())})
    else:
        console.text(_report_as_text(figures))
        console.text(f"\n{path.absolute()}")
    if open_:
        webbrowser.open(path.absolute().as_uri())


def _report_name(version: Any, other: Any) -> str:
    names = [version.manifest.dataset, version.manifest.version[:_SHORT]]
    if other is not None:
        names += ["against", other.manifest.version[:_SHORT]]
    return "-".join(names) + ".html"


def _write_report(version: Any, other: Any, out: Path) -> dict[str, Any]:
    """Write a report to the file *out* and return its figures."""
    from corpusmill.pipelines.reports.report import make_report

    with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder:
        make_report(version.store, compare=None if other is None else other.store, out=Path(folder))
        figures: dict[str, Any] = json.loads((Path(folder) / "report.json").read_text())
        shutil.copyfile(Path(folder) / "report.html", out)
    return figures


def _report_as_text(figures: dict[str, Any]) -> str:
    lines = [f"{figures['dataset']}@{figures['version']}", ""]
    compared = figures.get("comparison")
    if compared:
        lines += [_comparison(figures, compared), ""]
    else:
        sizes = {name: value for name, value in figures["sizes"].items() if isinstance(value, int | float)}
        lines += [f"  {_label(name):<18}{_figure(name, n):>14}" for name, n in sizes.items()] + [""]
        rules = [{**rule, "text": size(rule["bytes"])} for rule in figures["rules"][:_RULES_SHOWN]]
        lines += [table(rules, ["stage", "rule", "documents", "text"]), ""] if rules else []
        licenses = [
            {"license": row["name"] or "unknown", "documents": row["documents"]}
            for row in figures["licenses"]["expressions"][:_RULES_SHOWN]
        ]
        lines += [table(licenses, ["license", "documents"]), ""] if licenses else []
        refused = refused_lines(figures.get("refused", []))  # reports that were written before have none
        lines += [*refused, ""] if refused else []
    lines += [f"{finding['level']}: {finding['text']}" for finding in figures["findings"]]
    return "\n".join(lines).rstrip()


def _comparison(figures: dict[str, Any], other: dict[str, Any]) -> str:
    """Return the table of the figures of two versions, under their ids."""
    here, there = figures["version"][:_SHORT], other["version"][:_SHORT]
    rows = [
        {
            "": row["label"],
            here: _compared(row["kind"], row["here"]),
            there: _compared(row["kind"], row["there"]),
            "difference": _compared(row["kind"], row["difference"], sign="+"),
        }
        for row in other["figures"]
        if row["kind"] != "percent"
    ]
    return table(rows, ["", here, there, "difference"])


def _compared(kind: str, number: float | None, *, sign: str = "-") -> str:
    """Return a figure of the *kind* count, size or seconds with its unit; empty if it is unknown.

    >>> _compared("size", -2_000, sign="+"), _compared("seconds", 0.97), _compared("count", 7, sign="+")
    ('-2.0 kB', '0.97 s', '+7')
    """
    if number is None:
        return ""
    before = "-" if number < 0 else sign if sign == "+" and number else ""
    if kind == "size":
        return before + size(abs(number))
    return f"{before}{abs(number):,.2f} s" if kind == "seconds" else f"{before}{abs(number):,}"


def _label(name: str) -> str:
    """Return the label of a size of a version.

    >>> _label("shard_bytes"), _label("tokens_estimated")
    ('size of shards', 'tokens estimated')
    """
    return "size of shards" if name == "shard_bytes" else name.replace("_", " ")


def _figure(name: str, number: float) -> str:
    """Return a figure of a version with its unit, where it has one.

    >>> _figure("text_bytes", 1_200_000), _figure("documents", 1_200_000)
    ('1.2 MB', '1,200,000')
    """
    return size(number) if name.endswith("_bytes") else f"{number:,}"


@click.command()
@click.argument("version")
@click.option("--max-rejected", type=NumberRange(0, 1), help="Largest share of records that may be rejected.")
@click.option("--min-documents", type=click.IntRange(0), help="Smallest number of published documents.")
@click.option("--max-error-rate", type=NumberRange(0, 1), help="Largest share of records that may be broken.")
@click.option("--fast", is_flag=True, help="Skip comparing the SHA-256 of the files.")
@click.option("--strict", is_flag=True, help="Exit with 4 if there are warnings.")
@click.pass_obj
def check(console: Console, /, version: str, fast: bool, strict: bool, **bounds: Any) -> int:
    """Check VERSION against the thresholds of its recipe, or against the options below.

    Exits with 3 if a check fails, and with 1 if a file is damaged.
    """
    from corpusmill.pipelines.dataset.health import damaged_files
    from corpusmill.pipelines.dataset.naming import id_warnings
    from corpusmill.pipelines.dataset.vectors import vector_warnings
    from corpusmill.pipelines.running.checks import check as warnings_of
    from corpusmill.pipelines.running.checks import failed_checks

    opened = _open(console, version)
    counts = opened.manifest.counts
    damaged = [] if fast else list(damaged_files(opened))
    if damaged:
        raise DamagedFileError(
            f"{plural(len(damaged), 'file')} damaged: {'; '.join(damaged)}",
            hint="restore the folder of this version from a copy; `corpusmill doctor --verify` checks all versions",
        )
    checks = _checks(opened, bounds)
    failed = failed_checks(counts, checks)
    if failed:
        raise ChecksFailedError(
            f"{opened.name} fails {plural(len(failed), 'check')}: {'; '.join(failed)}",
            hint=f"`corpusmill report {opened.name}` shows which rules rejected the documents",
        )
    warnings = [*warnings_of(counts, checks, dataset=opened.name, accept=True)]
    warnings += [*id_warnings(opened), *vector_warnings(opened.manifest)]
    for warning in warnings:
        console.warn(warning)
    numbers = {"read": counts.read, "published": counts.published, "ledger": counts.ledger}
    if console.as_json:
        data = {"status": "passed", "dataset": opened.manifest.dataset, "version": opened.manifest.version}
        console.data({**data, "checks": checks.model_dump(mode="json"), "counts": numbers, "warnings": warnings})
    else:
        number = len(opened.manifest.files) + len(opened.manifest.side_files)
        files = "" if fast else f", {plural(number, 'file')} intact"
        read = plural(counts.read, "record")
        console.text(f"passed: {opened.name}, {counts.published:,} of {read} published{files}")
    return _EXIT_WARNINGS if strict and warnings else 0


def _checks(version: Any, bounds: dict[str, Any]) -> Any:
    """Return the checks of the version's recipe, overridden by *bounds* that are not None."""
    from corpusmill.schemas.recipe import Checks

    known = {name: value for name, value in version.manifest.recipe.get("checks", {}).items() if value is not None}
    return Checks.model_validate_json(json.dumps(known | {name: n for name, n in bounds.items() if n is not None}))
