"""The commands that show documents: `inspect` and `explain`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import click

from corpusmill.commands.numbers import NumberRange
from corpusmill.commands.place import workspace_of
from corpusmill.commands.rows import excerpt, row_as_text, short
from corpusmill.schemas.errors import UsageError
from corpusmill.terminal.console import Console, print_error
from corpusmill.terminal.figures import plural

_SHOWN: Final = 10
"""Documents that are printed without ``--limit`` or ``--sample``."""
_CUTS: Final = 10
"""Spans cut from a document that are printed; ``--json`` has more."""


@click.command()
@click.argument("version")
@click.option("--where", metavar="SQL", help='SQL expression over columns and signals, such as "word_count > 1000".')
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="N",
    help="Choose N documents at random. The choice is the same every time.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help=f"Print at most N documents.  [default: {_SHOWN}; with --json: all]",
)
@click.option("--split", metavar="NAME", help="Only this split: train, validation or test.")
@click.option("--columns", metavar="A,B", help="Print only these columns and signals.")
@click.option("--text", is_flag=True, help="Print texts in full, and columns of hashes.")
@click.option("--ledger", is_flag=True, help="Show rejected documents instead of published ones.")
@click.option(
    "--timeout", type=NumberRange(0.1), default=60.0, show_default=True, help="Seconds that --where may take."
)
@click.pass_obj
def inspect(
    console: Console,
    version: str,
    where: str | None,
    sample: int | None,
    limit: int | None,
    split: str | None,
    columns: str | None,
    text: bool,
    ledger: bool,
    timeout: float,
) -> None:
    """Show or query the documents of VERSION.

    --where takes any DuckDB expression over columns and signals, such as "gopher.word_count < 60 AND language = 'en'".
    In it, `metadata` is a map: "metadata['authors'] IS NOT NULL". The expression can read this version only.
    """
    from corpusmill.pipelines.dataset.inspect import Question
    from corpusmill.pipelines.dataset.inspect import inspect as look
    from corpusmill.pipelines.dataset.version import open_version

    question = Question(
        where=where,
        split=split,
        sample=sample,
        limit=limit if limit or sample or console.as_json else _SHOWN + 1,
        columns=tuple(name.strip() for name in columns.split(",") if name.strip()) if columns else (),
        ledger=ledger,
        timeout_s=timeout,
    )
    shown = 0
    opened = open_version(version, workspace_of(console))
    for row in look(opened, question):
        if console.as_json:
            console.data(row)
        elif shown == _SHOWN and not (limit or sample):
            console.say("… there are more; use --limit N or --sample N")
            break
        else:
            console.text(row_as_text(row, whole=text, hashes=text or bool(columns)))
        shown += 1
    if not shown:
        console.say("no documents match")
    if ledger:
        _mention_refused(console, opened)


def _mention_refused(console: Console, version: Any) -> None:
    """Say which pages are not in the ledger of *version* although a crawl met them."""
    for source in version.manifest.inputs:
        if pages := source.counts.get("refused"):
            console.say(
                f"{plural(pages, 'more URL')} of `{source.source}` {'was' if pages == 1 else 'were'} not fetched: "
                f"`corpusmill report {version.name}` lists them by rule, `corpusmill explain URL` shows the rule of one"
            )


@click.command()
@click.argument("document", metavar="[ID|URL]", required=False)
@click.option(
    "--dataset",
    metavar="NAME",
    help="Search the versions of this data set only; with --like its current one, or NAME@VERSION.",
)
@click.option(
    "--like",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Search for documents that are like the text in FILE (- for standard input).",
)
@click.option("--batch", metavar="RUN:STEP", help="Show the documents that a training run made this step with.")
@click.pass_obj
def explain(console: Console, document: str | None, dataset: str | None, like: Path | None, batch: str | None) -> int:
    """Show where a document came from, the verdict of each stage, and the versions that contain it.

    Name the document by its id (the first characters are enough), its URL, or its name in its source. A URL that a
    crawl did not fetch, or that redirects, is explained as well. Exits with 2 if no version and no crawl knows it.

    With --like FILE instead, show the documents whose texts are most similar to a plain text, and whether `near_dedup`
    would remove it as a copy of one of them. This searches the current version of each data set, if it was published
    with `near_dedup: {index: true}` or `incremental: true`.

    With --batch RUN:STEP, show the documents of a batch of a training run. They are computed, from the token cache if
    the workspace has one, else by encoding texts from the last checkpoint before the step.
    """
    if batch is not None:
        from corpusmill.commands.batches import explain_batch

        if document is not None or like is not None:
            raise UsageError(f"--batch and a document were named, got {document or like}", hint="leave one of them out")
        explain_batch(console, batch)
        return 0
    if like is not None:
        from corpusmill.commands.like import explain_like

        if document is not None:
            raise UsageError(f"a document and --like were named, got {document}", hint="leave one of them out")
        explain_like(console, like, dataset)
        return 0
    from corpusmill.pipelines.dataset.explain import explain as explain_document

    if document is None or not document.strip():
        hint = "run `corpusmill explain ID`, `corpusmill explain URL` or `corpusmill explain --like FILE`"
        raise UsageError("no document was named", hint=hint)
    result = explain_document(document.strip(), workspace_of(console), dataset=dataset)
    if result["status"] == "unknown":
        return _fail_unknown(console, result, document, dataset)
    if console.as_json:
        console.data(result)
    else:
        console.text(_result_as_text(result, document))
    for other in result.get("others", ()):
        console.say(f"another document has the same URL or name: {other}")
    if result["status"] == "redirected":
        console.say(f"a redirect has no text; for the page that it leads to: `corpusmill explain {result['target']}`")
    elif result["status"] == "fetched":
        versions = f"version of `{dataset}`" if dataset else "version"
        source = result["source"]["name"]
        console.say(f"no {versions} has a record of it: run a recipe that reads `{source}`, and see that it publishes")
    return 0


def _fail_unknown(console: Console, result: dict[str, Any], document: str, dataset: str | None) -> int:
    """Report that no document is called *document*; the JSON is that of `explain`, with the error."""
    versions = f"no version of `{dataset}`" if dataset else "no version"
    search = "`corpusmill inspect DATASET --where \"url LIKE '%…%'\"` searches for part of a URL"
    if "://" in document:
        search = f"if a crawl should have found it, list it in `start_urls` or `urls`; {search}"
    elif "/" not in document:
        search = (
            f"check that --workspace is right, here {workspace_of(console).root}; to search for part of a `source_id`: "
            "`corpusmill inspect DATASET --where \"source_id LIKE '%…%'\"`"
        )
    hint = f"leave out --dataset to search all versions; {search}" if dataset else search
    error = UsageError(f"{versions} and no crawl has the document {document}", hint=hint)
    print_error(str(error), error.hint)
    if console.as_json:
        console.data({**result, "error": error.as_dict()})
    return error.exit_code


def _result_as_text(result: dict[str, Any], document: str) -> str:
    name = result.get("title") or result["url"] or result["source"].get("source_id") or document
    lines = [f"{result['status']}: {name}"]
    lines += [f"  {key}: {result[key]}" for key in ("id", "url", "version") if result.get(key)]
    if result.get("absent_from"):
        lines.append(f"  the current version {result['absent_from']} has no record of it: its source had none then")
    lines += _source_lines(result["source"], is_published=result["status"] == "published")
    if result["trail"]:
        lines += ["", "stages", *(f"  {line}" for line in _trail_as_text(result["trail"]))]
    if result["duplicate_of"]:
        kept = result["duplicate"] or {}
        place = kept.get("title") or kept.get("url") or kept.get("source_id") or ""
        lines += ["", f"duplicate of {result['duplicate_of']}  {place}".rstrip()]
    lines += _listed("removed copies of it", result.get("duplicates", ()), ("id", "rule", "source_id"))
    lines += _cuts_as_text(result.get("cuts", ()), result.get("number_of_cuts", 0))
    lines += _listed("other captures", result.get("captures", ()), ("record_sha256", "rule", "file"))
    if result.get("refused"):
        lines += [
            "",
            f"the last crawl refused it: {result['refused']['rule']}  {result['refused']['message'] or ''}".rstrip(),
        ]
    for table in result.get("side_tables", ()):
        lines += ["", f"{table['name']}: {plural(table['count'], 'row')}"]
        lines += [f"  {excerpt(line, whole=False)}" for note in table["notes"] for line in note.splitlines()]
    lines += _listed("versions", result["versions"], ("dataset", "version", "status", "rule", "split"))
    if result.get("sample_text"):
        lines += ["", "text", *(f"    {line}" for line in excerpt(result["sample_text"], whole=False).splitlines())]
    return "\n".join(lines)


def _cuts_as_text(cuts: Sequence[dict[str, Any]], number: int) -> list[str]:
    """Return the lines about text that was cut from the document or masked: where, by which rule, and who keeps it.

    >>> span = {"start": 6, "end": 80, "rule": "line_dedup.duplicate", "first_id": "0f", "sample_text": "A long line."}
    >>> print(*_cuts_as_text([span], 1), sep="\\n")
    <BLANKLINE>
    cut from it
      line_dedup.duplicate  bytes 6 to 80, kept in 0f: A long line.
    """
    if not cuts:
        return []
    lines = ["", "cut from it"]
    for span in cuts[:_CUTS]:
        keeper = f"kept in {span['first_id']}" if span["first_id"] else span.get("message") or "kept nowhere"
        sample = short(" ".join((span["sample_text"] or "").split()))
        lines.append(f"  {span['rule']}  bytes {span['start']:,} to {span['end']:,}, {keeper}: {sample}")
    more = number - len(cuts[:_CUTS])
    return [*lines, f"  and {plural(more, 'more span')}"] if more else lines


def _source_lines(source: dict[str, Any], *, is_published: bool) -> list[str]:
    if not source:
        return []
    lines = [f"  source: {source['name']} ({', '.join(filter(None, (source['kind'], source.get('format'))))})"]
    if source.get("file"):
        named = {"byte": source.get("offset"), "length": source.get("length")}
        place = "".join(f", {name} {number:,}" for name, number in named.items() if number is not None)
        lines.append(f"  record: {source['file']}{place}")
    if source.get("license"):
        lines.append(f"  license: {source['license']} (from: {source['license_source']})")
    elif is_published:
        lines.append("  license: unknown (if you know it, set `license` of the source in the recipe)")
    if source.get("robots"):
        answer = source["robots"]["answer"]
        text = f"{answer['url']} answered {answer['status']} at {answer['fetched_at']}" if answer else "not archived"
        lines.append(f"  robots.txt: {text}")
    if source.get("referrer"):
        lines.append(f"  linked from: {source['referrer']}")
    return lines


def _trail_as_text(trail: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of each stage: its verdict, other rules that the document violates, and how many it passes."""
    for stage, group in groupby(trail, key=itemgetter("stage")):
        steps = list(group)
        passed = [step for step in steps if step["rule"] and step["verdict"] == "passed"]
        others = sorted((step for step in steps if step not in passed), key=lambda step: step["verdict"] != "rejected")
        parts = [_step_as_text(step) for step in others]
        if len(passed) == 1 and not others:
            parts.append(_step_as_text(passed[0]))
        elif passed:
            notes = "".join(f"  {step['message']}" for step in passed if step.get("message"))
            parts.append(f"passed {plural(len(passed), 'other rule' if others else 'rule')}{notes}")
        yield f"{stage:<16} {parts[0]}"
        yield from (f"{'':<16} {part}" for part in parts[1:])


def _step_as_text(step: dict[str, Any]) -> str:
    verdict = {"rejected": "rejected by", "failed": "also violates"}.get(step["verdict"], step["verdict"])
    line = f"{verdict} {step['rule']}" if step["rule"] else step["verdict"]
    if step["value"] is not None:
        line += f" ({step['value']:g}{_bounds(step)})"
    return line + (f"  {step['message']}" if step.get("message") else "")


def _bounds(step: dict[str, Any]) -> str:
    low, high = step.get("min"), step.get("max")
    if low is not None and high is not None:
        return f", allowed {low:g} to {high:g}"
    if low is not None or high is not None:
        return f", at least {low:g}" if high is None else f", at most {high:g}"
    return "" if step["threshold"] is None else f", threshold {step['threshold']:g}"


def _listed(heading: str, rows: Any, names: tuple[str, ...]) -> list[str]:
    if not rows:
        return []
    return ["", heading, *("  " + "  ".join(str(row[name]) for name in names if row.get(name)) for row in rows)]
