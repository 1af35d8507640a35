"""Kill a run at any moment and resume it: is the version the same, byte for byte?

    python -m benchmarks.runs.kills [RECIPE | --documents 3000 | --pages N] [--kills 50] [--publications 10] [--seed 0]

An undisturbed run comes first. Then, in an empty workspace each, a run is killed (`kill -9` of its process group) at a
random moment of the time that it takes; the moments are spread evenly over it. *publications* more are killed soon
after they began to publish. Each is resumed to its end with another number of workers. The id of the version and every
Parquet file of it have to be those of the undisturbed run, and no unfinished version may be left.

It prints a line for each kill, and exits with 1 when any of them ended otherwise. A run that had ended before it could
be killed counts as *too late*.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.runs.inputs import Installation, add_input, input_recipe
from benchmarks.runs.measuring import adopt_orphans, machine, reap_orphans
from corpusmill.schemas.hashing import file_sha256

WORKERS: Final = (2, 1, 3, 0)
"""Numbers of workers of the killed runs and, one further, of those that resume them."""
_PUBLISHING_S: Final = 0.5
"""Publication takes about this long, report included."""
_RUN_S: Final = 600
"""No run waits longer for its publication."""
_POLL_S: Final = 0.002

Version = tuple[str, dict[str, str]]
"""Id of a version, and the SHA-256 of each of its Parquet files."""
Wait = Callable[[Path], None]
"""Waits until the run in a workspace is to be killed."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_input(parser, documents=3_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--publications", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    adopt_orphans()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        recipe = input_recipe(options, Path(folder))
        counts = Counter(all_trials(recipe, Path(folder), options))
    print(", ".join(f"{outcome}: {count}" for outcome, count in counts.items()))
    if counts.keys() - {"equal", "too late"}:
        sys.exit(1)


def all_trials(recipe: Path, folder: Path, options: argparse.Namespace) -> list[str]:
    """Return how each kill ended."""
    chance = random.Random(options.seed)
    started = time.monotonic()
    expected = finish(recipe, folder / "undisturbed", WORKERS[0])
    duration = time.monotonic() - started
    print(f"undisturbed: {duration:.1f} s, version {expected[0]}, {len(expected[1])} Parquet files", flush=True)
    moments = [duration * (number + chance.random()) / options.kills for number in range(options.kills)]
    waits: list[tuple[str, Wait]] = [(f"{moment:6.2f} s", partial(wait_for, moment)) for moment in moments]
    for _ in range(options.publications):
        later = chance.random() * _PUBLISHING_S
        waits.append((f"publishing + {later:.2f} s", partial(wait_for_publication, later)))
    outcomes = []
    for number, (name, wait) in enumerate(waits):
        with tempfile.TemporaryDirectory(dir=folder, prefix="workspace-") as workspace:
            outcomes.append(trial(recipe, Path(workspace), expected, number, wait))
        print(f"{name}: {outcomes[-1]}", flush=True)
    return outcomes


def trial(recipe: Path, workspace: Path, expected: Version, number: int, wait: Wait) -> str:
    """Start a run, kill it after *wait*, resume it, and return how that ended."""
    process = subprocess.Popen(
        command(recipe, workspace, WORKERS[number % len(WORKERS)]),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait(workspace)
    ended = process.poll() is not None
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    reap_orphans()
    try:
        resumed = finish(recipe, workspace, WORKERS[(number + 1) % len(WORKERS)])
    except subprocess.CalledProcessError as error:
        return f"failed: {error.stderr.strip()[-300:]}"
    if resumed[0] != expected[0]:
        return "other version"
    if resumed[1] != expected[1]:
        return "other bytes"
    if list(workspace.glob("versions/*/.staging*")):
        return "unfinished version left"
    return "too late" if ended else "equal"


def wait_for(seconds: float, _: Path) -> None:
    """Wait *seconds*, whatever the workspace holds."""
    time.sleep(seconds)


def wait_for_publication(later_s: float, workspace: Path) -> None:
    """Wait until a version begins to appear in *workspace*, and *later_s* more."""
    deadline = time.monotonic() + _RUN_S
    while not list(workspace.glob("versions/*/.staging*")) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    time.sleep(later_s)


def finish(recipe: Path, workspace: Path, workers: int) -> Version:
    """Run *recipe* to its end and return the version."""
    done = subprocess.run(command(recipe, workspace, workers), check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    files = sorted(Path(result["path"]).glob("*.parquet"))
    return str(result["version"]), {file.name: file_sha256(file) for file in files}


def command(recipe: Path, workspace: Path, workers: int) -> list[str]:
    """Return the command line of a run."""
    options = ("--workspace", str(workspace), "--workers", str(workers), "--json")
    return Installation().call("run", str(recipe.absolute()), *options)


if __name__ == "__main__":
    main()
