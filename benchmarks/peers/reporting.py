"""What the comparisons with other tools share: calling a tool in its own environment, and the table that is printed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.runs.inputs import ROOT, Installation
from benchmarks.runs.measuring import CommandError, Cost, machine, measure

PEERS: Final = Path("/tmp/peers")
"""Where the docstrings install the other tools, each in an environment of its own."""
_PROGRAMS: Final = "benchmarks.peers.programs"
_VERSIONS: Final = (
    "import importlib.metadata, json, sys; print(json.dumps({n: importlib.metadata.version(n) for n in sys.argv[1:]}))"
)
_OFFLINE: Final = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "0", "TQDM_DISABLE": "1"}
"""Nothing is downloaded while a tool is measured, and the tokenizer uses one core."""


class Row(NamedTuple):
    """A line of the table: what was measured, and the figure of each tool."""

    what: str
    ours: str
    peer: str


def parser(description: str | None, *, peer: str) -> argparse.ArgumentParser:
    """Return a parser with the option that every comparison has: the Python that has *peer* installed."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = PEERS / peer / "bin" / "python"
    text = f"Python that has {peer} installed. [default: {default}]"
    made.add_argument("--peer", type=Path, default=default, metavar="PYTHON", help=text)
    return made


def program(name: str, *arguments: object, python: Path | str = sys.executable) -> list[str]:
    """Return the command line that runs `benchmarks/peers/programs/<name>.py`."""
    return [str(python), "-m", f"{_PROGRAMS}.{name}", *map(str, arguments)]


def environment() -> dict[str, str]:
    """Return the variables to call a program with: it finds the modules of this repository."""
    return Installation().environment(**_OFFLINE)


def cost_of(command: Sequence[str]) -> Cost:
    """Run *command* in the root of the repository and return what it cost.

    Raises:
        CommandError: It exited with another code than 0.
    """
    return measure(command, environment=environment(), folder=ROOT)


def versions(python: Path, packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of *packages* that *python* has installed.

    Raises:
        SystemExit: One of them is missing, or there is no such Python.
    """
    names = tuple(packages)
    hint = "hint: `--help` says how to install it; `--peer PYTHON` names another environment"
    if not python.exists():
        sys.exit(f"error: {python} does not exist\n\n{hint}")
    try:
        return dict(json.loads(cost_of([str(python), "-c", _VERSIONS, *names]).output))
    except CommandError:
        sys.exit(f"error: {python} lacks one of: {', '.join(names)}\n\n{hint}")


def report(rows: Iterable[Row], peers: Mapping[str, str]) -> None:
    """Print date, machine and versions, and *rows* as a Markdown table; the first of *peers* names the column."""
    listed = [f"{name} {version}" for name, version in peers.items()]
    print(f"{datetime.now(UTC):%Y-%m-%d}; {machine()}; {', '.join(listed)}\n")
    print(table(rows, peer=listed[0]), flush=True)


def table(rows: Iterable[Row], *, peer: str) -> str:
    """Return *rows* as a Markdown table.

    >>> print(table([Row("pages lost", "0", "3")], peer="other 1.0"))
    | measured | corpusmill | other 1.0 |
    |---|---|---|
    | pages lost | 0 | 3 |
    """
    lines = [Row("measured", "corpusmill", peer), *rows]
    written = [f"| {line.what} | {line.ours} | {line.peer} |" for line in lines]
    return "\n".join([written[0], "|---|---|---|", *written[1:]])
