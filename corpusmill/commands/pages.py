"""The commands that process single documents and store nothing: `extract` and `try`."""

from __future__ import annotations

import mimetypes
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from corpusmill.commands.place import workspace_of
from corpusmill.schemas.errors import CorpusmillError, DataError, UsageError
from corpusmill.terminal.console import Console, print_error

if TYPE_CHECKING:
    from corpusmill.pipelines.stages.extract.options import Options
    from corpusmill.pipelines.stages.extract.page import Page

KEEP: Final = ("comments", "tables", "code", "links", "alt_text")
"""The values of ``--keep``. They repeat `Options.keep`, whose import is slow."""
_SHOWN_CHARACTERS: Final = 1_500
_TEXTS: Final = frozenset(("text/plain", "text/markdown", "text/csv"))


def _names(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the comma-separated names in *values*, or None without the option."""
    names = tuple(name for value in values for name in value.replace(",", " ").split())
    from corpusmill.schemas.problems import hint_among

    for name in names:
        if name not in KEEP:
            hint = hint_among(name, KEEP, noun="allowed")
            raise UsageError(f"`--keep`: not an allowed value, got `{name}`", hint=hint)
    return names if values else None


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@click.option(
    "--favor",
    type=click.Choice(["precision", "balanced", "recall"]),
    default="balanced",
    show_default=True,
    help="Prefer dropping boilerplate (precision) or keeping content (recall).",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="NAMES",
    callback=_names,
    help=f"Comma-separated parts to keep besides prose: {', '.join(KEEP)}.  [default: tables,code]",
)
@click.option("--links", is_flag=True, help="Write links as [text](https://…). Same as adding `links` to --keep.")
@click.option(
    "--select",
    multiple=True,
    metavar="CSS",
    help="Elements that hold the content. If any match, only they are kept.",
)
@click.option("--drop", multiple=True, metavar="CSS", help="Elements to remove before extraction.")
@click.option("--url", help="Address of the page, used to resolve relative links.")
@click.pass_obj
def extract(
    console: Console,
    files: tuple[Path, ...],
    form: str,
    favor: str,
    keep: tuple[str, ...] | None,
    links: bool,
    select: tuple[str, ...],
    drop: tuple[str, ...],
    url: str | None,
) -> None:
    """Print the main text of HTML FILES, or of a page on standard input.

    A file that cannot be read is reported on standard error (with --json also on standard output) and the others are
    still printed. The exit code is then 1.
    """
    if url is not None and len(files) > 1:
        raise UsageError(
            "--url is the address of one page, but there are several files", hint="run the command once for each file"
        )
    options = _options(favor=favor, keep=keep, links=links, select=select, drop=drop)
    form = "json" if console.as_json else form
    failed = 0
    for index, file in enumerate(files or (Path("-"),)):
        try:
            page = _page(file, url, options)
        except CorpusmillError as error:
            if len(files) < 2:
                raise
            failed += 1
            _report_error(console, file, error, as_json=form == "json")
        else:
            _write(console, page, file, form, is_first=index == failed)
    if failed:
        click.get_current_context().exit(1)


def _options(*, keep: tuple[str, ...] | None, links: bool, **fields: Any) -> Options:
    """Return the options of `extract_page`.

    Raises:
        UsageError: A selector is invalid.
    """
    from pydantic import ValidationError

    from corpusmill.pipelines.stages.extract.options import Options

    if keep is None:
        keep = Options().keep
    try:
        return Options.model_validate({"keep": (*keep, *(("links",) if links else ())), **fields})
    except ValidationError as error:
        problem = error.errors()[0]
        raise UsageError(
            f"--{problem['loc'][0]}: {problem['msg'].removeprefix('Value error, ')}, got `{problem['input']}`",
            hint="use a CSS selector, such as `--select 'article.post'` or `--drop '#comments, .ad'`",
        ) from error


def _page(file: Path, url: str | None, options: Options) -> Page:
    """Read one page.

    Raises:
        UsageError: There is no such file, or it cannot be read.
        DataError: The file is not a page.
    """
    from corpusmill.pipelines.stages.extract import extract_page

    html = _bytes(file)
    kind = mimetypes.guess_type(file.name)[0]
    try:
        return extract_page(html, url, media_type=kind if kind in _TEXTS else None, options=options)
    except DataError as error:
        hint = "`corpusmill extract` reads HTML and plain text"
        problem = "not HTML or text" if error.kind == "not_html" else error.message
        raise DataError(f"{file}: {problem}", kind=error.kind, hint=error.hint or hint) from error


def _bytes(file: Path) -> bytes:
    if str(file) == "-":
        if sys.stdin.isatty():
            raise UsageError(
                "no file was named", hint="run `corpusmill extract page.html`, or `cat page.html | corpusmill extract`"
            )
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: OSError) -> UsageError:
    """Return the error for a *file* that cannot be read. A URL has lost a slash, because it was read as a path."""
    if address := re.match(r"(https?):/(.+)", str(file)):
        url = f"{address[1]}://{address[2]}"
        hint = f"run `curl -sL {url} | corpusmill extract --url {url}`"
        return UsageError(f"`corpusmill extract` reads files, not URLs, got {url}", hint=hint)
    if isinstance(error, IsADirectoryError):
        return UsageError(f"{file} is a folder", hint=f"run `corpusmill extract {file}/*.html`")
    return UsageError(f"{file} cannot be read: {error.strerror}", hint="check the path and its permissions")


def _write(console: Console, page: Page, file: Path, form: str, *, is_first: bool) -> None:
    if form == "json":
        from corpusmill.pipelines.stages.extract.json_form import record

        console.data(record(page, file=str(file)))
        return
    text = page.markdown() if form == "markdown" else page.text
    if not text:
        console.say(f"{file}: no main text found")
    console.text(text if is_first else f"\n{text}")


def _report_error(console: Console, file: Path, error: CorpusmillError, *, as_json: bool) -> None:
    """Report a file that could not be read."""
    print_error(str(error), error.hint)
    if as_json:
        console.data({"file": str(file), "status": "failed", "error": error.as_dict()})


@click.command(name="try")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("document", metavar="FILE-OR-URL")
@click.pass_obj
def try_(console: Console, recipe: Path, document: str) -> None:
    """Show what each stage of RECIPE does to one document. Nothing is stored.

    A file is read by the first source of the recipe that accepts its format. A URL is looked up among the crawled
    pages of the workspace. Stages that compare documents, such as deduplication, are skipped.
    """
    from corpusmill.pipelines.running.trial import trial

    records = trial(recipe, document, workspace=workspace_of(console), acquisition=console.parts["acquisition"])
    for record in records:
        if console.as_json:
            console.data(record)
        else:
            console.text(_record_as_text(record))


def _record_as_text(record: dict[str, Any]) -> str:
    lines = [f"{record['source_id']}  ({record['loader']})"]
    for stage in record["stages"]:
        verdict = stage["verdict"]
        rule = f" {stage['rule']}" if stage["rule"] else ""
        numbers = ""
        if stage["value"] is not None:
            bound = "" if stage["threshold"] is None else f", threshold {stage['threshold']:g}"
            numbers = f" ({stage['value']:g}{bound})"
        lines.append(f"  {stage['stage']:<20} {verdict}{rule}{numbers}  {stage['change']}".rstrip())
        lines += [f"      {name} = {value}" for name, value in stage["columns"].items()]
    lines += ["", (record["text"] or "")[:_SHOWN_CHARACTERS]]
    return "\n".join(lines)
