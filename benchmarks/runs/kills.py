"""Kill a run at any moment and resume it: is the version the same, byte for byte?

    python -m benchmarks.runs.kills [RECIPE | --documents 3000 | --pages N] [--kills 50] [--publications 10] [--seed 0]

An undisturbed run comes first. Then, in an empty workspace each, a run is killed (`kill -9` of its process group) at a
random moment of the time that it takes; the moments are spread evenly over it. *publications* more are killed soon
after they began to publish. Each is resumed to its end with another number of workers. The id of the version and every
Parquet file of it have to be those of the undisturbed run, and no unfinished version may be left.

It prints a line for each kill, and exits with 1 when any of them ended otherwise. A run that had ended before it could
be killed is *too late*; it is tried again a few times, sooner.
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
STAGING: Final = "versions/*/.staging*"
"""Where a version lies until it is whole."""
_ATTEMPTS: Final = 4
_FASTER: Final = 0.8
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
    outcomes = []
    for number in range(options.kills):
        share = (number + chance.random()) / options.kills
        outcome = "too late"
        for _ in range(_ATTEMPTS):
            outcome = trial(recipe, folder, expected, number, partial(wait_for, share * duration))
            if outcome != "too late":
                break
            duration *= _FASTER  # the machine has less else to do than it had
        outcomes.append(outcome)
        print(f"after {share * duration:.2f} s: {outcome}", flush=True)
    for number in range(options.publications):
        later = chance.random() * _PUBLISHING_S
        outcomes.append(trial(recipe, folder, expected, number, partial(wait_for_publication, later)))
        print(f"publishing for {later:.2f} s: {outcomes[-1]}", flush=True)
    return outcomes


def trial(recipe: Path, folder: Path, expected: Version, number: int, wait: Wait) -> str:
    """Start a run in an empty workspace, kill it after *wait*, resume it, and return how that ended."""
    killed, resuming = (WORKERS[(number + index) % len(WORKERS)] for index in (0, 1))
    with tempfile.TemporaryDirectory(dir=folder, prefix="workspace-") as name:
        workspace = Path(name)
        is_late = not kill(command(recipe, workspace, killed), partial(wait, workspace))
        try:
            version, files = finish(recipe, workspace, resuming)
        except subprocess.CalledProcessError as error:
            return f"failed: {error.stderr.strip()[-300:]}"
        if version != expected[0]:
            return "other version"
        if files != expected[1]:
            return "other bytes"
        if list(workspace.glob(STAGING)):
            return "unfinished version left"
        return "too late" if is_late else "equal"


def kill(run: list[str], wait: Callable[[], None]) -> bool:
    """Start *run* in a process group of its own and kill that after *wait*; return whether there was a run to kill."""
    process = subprocess.Popen(run, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait()
    is_running = process.poll() is None
    if is_running:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    reap_orphans()
    return is_running


def wait_for(seconds: float, _: Path) -> None:
    """Wait *seconds*, whatever the workspace holds."""
    time.sleep(seconds)


def wait_for_publication(later_s: float, workspace: Path) -> None:
    """Wait until a version begins to appear in *workspace*, and *later_s* more."""
    deadline = time.monotonic() + _RUN_S
    while not list(workspace.glob(STAGING)) and time.monotonic() < deadline:
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
