"""Kill runs at random moments, resume them, and check that the version is the same, byte for byte.

    python -m benchmarks.runs.kills [RECIPE | --documents 3000 | --pages N] [--kills 50] [--publications 10] [--seed 0]

An undisturbed run comes first. Then `--kills` runs, each in an empty workspace, are killed (`kill -9` of the process
group) at random moments that are spread evenly over the duration of a run. `--publications` more runs are killed soon
after they began to publish. Each run is resumed to its end with another number of workers. The version id and every
Parquet file must be those of the undisturbed run, and no unfinished version may remain.

The script prints a line for each kill, and exits with 1 if the result of any is different. If a run ended before it
could be killed, the kill was *too late*, and it is repeated a few times at earlier moments.
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
"""Numbers of workers of the killed runs. The run that resumes a killed run uses the next number."""
STAGING: Final = "versions/*/.staging*"
"""Folders of versions that are not complete yet."""
_ATTEMPTS: Final = 4
_FASTER: Final = 0.8
_PUBLISHING_S: Final = 0.5
"""Approximate duration of a publication, including the report."""
_RUN_S: Final = 600
"""Longest time to wait for a run to publish."""
_POLL_S: Final = 0.002

Version = tuple[str, dict[str, str]]
"""The id of a version, and the SHA-256 of each of its Parquet files by name."""
Wait = Callable[[Path], None]
"""Waits until the run in a workspace should be killed."""


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
    """Return the outcome of each kill."""
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
            duration *= _FASTER  # other load on the machine may have decreased
        outcomes.append(outcome)
        print(f"killed after {share * duration:.2f} s: {outcome}", flush=True)
    for number in range(options.publications):
        later = chance.random() * _PUBLISHING_S
        outcomes.append(trial(recipe, folder, expected, number, partial(wait_for_publication, later)))
        print(f"killed {later:.2f} s into publication: {outcomes[-1]}", flush=True)
    return outcomes


def trial(recipe: Path, folder: Path, expected: Version, number: int, wait: Wait) -> str:
    """Start a run in an empty workspace, kill it after *wait*, resume it, and return the outcome."""
    killed, resuming = (WORKERS[(number + index) % len(WORKERS)] for index in (0, 1))
    with tempfile.TemporaryDirectory(dir=folder, prefix="workspace-") as name:
        workspace = Path(name)
        is_late = not kill(command(recipe, workspace, killed), partial(wait, workspace))
        try:
            version, files = finish(recipe, workspace, resuming)
        except subprocess.CalledProcessError as error:
            return f"failed: {error.stderr.strip()[-300:]}"
        if version != expected[0]:
            return "different version"
        if files != expected[1]:
            return "different bytes"
        if list(workspace.glob(STAGING)):
            return "unfinished version left"
        return "too late" if is_late else "equal"


def kill(run: list[str], wait: Callable[[], None]) -> bool:
    """Start *run* in its own process group and kill the group after *wait*. Return whether it was still running."""
    process = subprocess.Popen(run, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait()
    is_running = process.poll() is None
    if is_running:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    reap_orphans()
    return is_running


def wait_for(seconds: float, _: Path) -> None:
    """Wait *seconds*, regardless of the workspace."""
    time.sleep(seconds)


def wait_for_publication(later_s: float, workspace: Path) -> None:
    """Wait until a version begins to appear in *workspace*, then *later_s* seconds more."""
    deadline = time.monotonic() + _RUN_S
    while not list(workspace.glob(STAGING)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    time.sleep(later_s)


def finish(recipe: Path, workspace: Path, workers: int) -> Version:
    """Run *recipe* to its end and return the version."""
    completed = subprocess.run(command(recipe, workspace, workers), check=True, capture_output=True, text=True)
    result = json.loads(completed.stdout)
    files = sorted(Path(result["path"]).glob("*.parquet"))
    return str(result["version"]), {file.name: file_sha256(file) for file in files}


def command(recipe: Path, workspace: Path, workers: int) -> list[str]:
    """Return the command line of a run."""
    options = ("--workspace", str(workspace), "--workers", str(workers), "--json")
    return Installation().call("run", str(recipe.absolute()), *options)


if __name__ == "__main__":
    main()
