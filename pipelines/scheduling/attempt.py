"""One attempt: `corpusmill run RECIPE` in a process of its own, so that a crash of the run ends nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from corpusmill.pipelines.workspace import Workspace

_POLL_S: Final = 0.1
GRACE_S: Final = 20
"""How long a run may take to stop before it is killed. Kubernetes and systemd wait for 30 and 90 seconds."""
_SIGNALLED: Final = 128
"""A shell's exit code of a process that signal n ended is 128 + n."""


@dataclass(frozen=True)
class Outcome:
    """The end of an attempt.

    Args:
        exit: Exit code; 128 + n for a process that signal n ended.
        result: What ``--json`` printed; empty if it printed nothing.
        was_stopped: Whether it was asked to stop before it ended.
    """

    exit: int
    result: Mapping[str, Any]
    was_stopped: bool


_CHILD: Final = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from corpusmill.command import main; main()"
)
"""A program that runs `corpusmill` without noticing Ctrl-C, which a terminal sends to this process, too. A second
signal while a run stops would cut that short. A blocked signal would not do: `multiprocessing` unblocks it."""


def child_command(workspace: Workspace, *arguments: str) -> list[str]:
    """Return a command line like `command`, of a process that ignores SIGINT; SIGTERM stops it in order."""
    return [sys.executable, "-P", "-c", _CHILD, *arguments, *workspace_options(workspace)]


def command(workspace: Workspace, *arguments: str) -> list[str]:
    """Return the command line of `corpusmill ARGUMENTS` for *workspace*, with absolute paths."""
    # `-P` keeps the current folder out of the module path, so that a job does not depend on where it was started.
    return [sys.executable, "-P", "-m", "corpusmill", *arguments, *workspace_options(workspace)]


def workspace_options(workspace: Workspace) -> list[str]:
    """Return the options that name *workspace* to any command, from any folder."""
    store = [] if workspace.place is None else ["--store", workspace.place]
    return ["--workspace", str(workspace.root), *store]


def run_process(
    arguments: Sequence[str], *, folder: Path, log: BinaryIO, inherited: int, stop: threading.Event
) -> Outcome:
    """Run a command in *folder* until it ends; when *stop* is set, ask it to stop, and kill it after `GRACE_S`.

    Args:
        log: Open file that gets standard error.
        inherited: File descriptor that the process inherits.

    Raises:
        OSError: The process cannot be started.
    """
    with tempfile.TemporaryFile() as output:  # not a pipe: processes that outlive the run would keep it open
        process = subprocess.Popen(
            arguments, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=log, pass_fds=(inherited,)
        )
        was_stopped = _wait(process, stop)
        output.seek(0)
        result = _last_json(output.read())
    exit_code = process.returncode if process.returncode >= 0 else _SIGNALLED - process.returncode
    return Outcome(exit_code, result, was_stopped)


def _wait(process: subprocess.Popen[bytes], stop: threading.Event) -> bool:
    """Wait for the end of *process*, and return whether it was asked to stop."""
    deadline = None
    while True:
        try:
            process.wait(_POLL_S)
            return deadline is not None
        except subprocess.TimeoutExpired:
            if deadline is None and stop.is_set():
                process.terminate()
                deadline = time.monotonic() + GRACE_S
            elif deadline is not None and time.monotonic() > deadline:
                process.kill()


def _last_json(output: bytes) -> Mapping[str, Any]:
    """Return the JSON object on the last line of *output*; an empty one if there is none.

    >>> _last_json(b'words\\n{"status": "published"}\\n'), _last_json(b"words")
    ({'status': 'published'}, {})
    """
    try:
        value = json.loads(output.splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    return value if isinstance(value, dict) else {}
