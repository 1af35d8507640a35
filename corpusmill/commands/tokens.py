"""The command that makes a token cache."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from corpusmill.commands.place import version_place, workspace_of
from corpusmill.terminal.console import Console
from corpusmill.terminal.figures import plural, size


@click.command()
@click.argument("version")
@click.option(
    "--tokenizer",
    required=True,
    type=click.Path(path_type=Path),
    help="A tokenizer.json, its folder, or the name of a run, whose tokenizer is used.",
)
@click.option("--split", default="train", show_default=True, help="Split to tokenize.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that tokenize.")
@click.pass_obj
def tokenize(console: Console, version: str, tokenizer: Path, split: str, workers: int) -> None:
    """Keep the tokens of VERSION in the workspace, so that `train` with this tokenizer reads them instead of the texts.

    The order of training and its results stay the same. An interrupted call resumes with the next shard.
    """
    from corpusmill.training import tokenize as keep

    made = keep(
        version_place(console, version),
        _tokenizer_place(console, tokenizer),
        workspace=workspace_of(console).store,
        split=split,
        workers=workers,
        progress=_progress(console),
    )
    if console.as_json:
        console.data(made)
    else:
        figures = f"{made['tokens']:,} tokens of {plural(made['documents'], 'document')}, {size(made['bytes'])}"
        console.text(f"{made['status']}: {figures}\n  {made['path']}")


def _tokenizer_place(console: Console, tokenizer: Path) -> Path:
    """Return the path of a tokenizer, which may be that of a run in the workspace."""
    run = console.workspace / "models" / tokenizer
    return tokenizer if tokenizer.exists() or not run.exists() else run


def _progress(console: Console) -> Any:
    if console.quiet:
        return None

    def draw(done: int, rows: int) -> None:
        line = f"tokenize: {done:,} of {plural(rows, 'document')}"
        if console.shows_progress:
            print(f"\r\x1b[2K{line}", end="\n" if done == rows else "", file=sys.stderr, flush=True)
        else:
            console.say(line)

    return draw
