"""The commands that look at one document, and write nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from schemas.console import Console
from schemas.errors import UsageError

_SHOWN_CHARACTERS = 1_500


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--url", help="Where the page comes from.")
@click.pass_obj
def extract(console: Console, files: tuple[Path, ...], form: str, url: str | None) -> None:
    """Turn HTML FILES, or standard input, into text."""
    from pipelines.stages.extract import extract_page

    for name, html in _pages(files):
        page = extract_page(html, url)
        if console.as_json or form == "json":
            console.data({"file": name, "title": page.title, "text": page.text})
        else:
            console.text(page.text)


def _pages(files: tuple[Path, ...]) -> list[tuple[str, bytes]]:
    if not files or files == (Path("-"),):
        if sys.stdin.isatty():
            raise UsageError(
                "no file is given", hint="corpusmill extract page.html, or cat page.html | corpusmill extract"
            )
        return [("-", sys.stdin.buffer.read())]
    pages = []
    for file in files:
        try:
            pages.append((str(file), file.read_bytes()))
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}", hint="check the path") from error
    return pages


@click.command(name="try")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("document", metavar="FILE-OR-URL")
@click.pass_obj
def try_(console: Console, recipe: Path, document: str) -> None:
    """Show what each stage of RECIPE makes of one document. Nothing is written.

    A file is read by the first source of the recipe that takes its kind, a URL from the crawled pages of the workspace.
    Stages that compare documents are left out: there is only one.
    """
    from pipelines.trial import trial

    told = trial(recipe, document, workspace=console.workspace, acquisition=console.parts["acquisition"])
    for record in told:
        if console.as_json:
            console.data(record)
        else:
            console.text(_told(record))


def _told(record: dict[str, Any]) -> str:
    lines = [f"{record['source_id']}  ({record['loader']})"]
    for stage in record["stages"]:
        verdict = stage["verdict"]
        rule = f" {stage['rule']}" if stage["rule"] else ""
        numbers = ""
        if stage["value"] is not None:
            bound = "" if stage["threshold"] is None else f", bound {stage['threshold']:g}"
            numbers = f" ({stage['value']:g}{bound})"
        lines.append(f"  {stage['stage']:<20} {verdict}{rule}{numbers}  {stage['change']}".rstrip())
        lines += [f"      {name} = {value}" for name, value in stage["columns"].items()]
    lines += ["", (record["text"] or "")[:_SHOWN_CHARACTERS]]
    return "\n".join(lines)
