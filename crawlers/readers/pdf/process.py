"""Run the reader in a process of its own, with limits of time and memory.

The library is native code that reads untrusted files: a crash, a loop or a bomb must end one record, not the run.
One process reads many files, because a start costs more than most files. If it ends during a file, the file is tried
once more in a new process, so that the answer does not depend on the files before it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any, Final

from corpusmill.crawlers.readers.pdf.document import Reading
from corpusmill.schemas.errors import DataError

CPU_SECONDS: Final = 120
"""Processor time for one file."""
WALL_SECONDS: Final = 1800
"""Also bounds a process that waits without computing; far above `CPU_SECONDS`, for machines with much other work."""
MEMORY_BYTES: Final = 3 * 2**30
"""Address space of the process."""


class Reader:
    """A process that reads PDF files, started with the first one and again after each that ends it."""

    def __init__(self, *, cpu_s: int = CPU_SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        self._limits = (str(cpu_s), str(memory_bytes))
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def read(self, data: bytes) -> Reading:
        """Return what the file *data* gives.

        Raises:
            DataError: As `document.read`; ``too_complex`` if the limit of time is reached; ``unreadable`` if the
                library crashes.
        """
        with self._lock:
            is_used = self._process is not None and self._owner == os.getpid()
            try:
                answer = self._ask(data)
            except EOFError as ended:
                if is_used and "time" not in str(ended):
                    try:
                        answer = self._ask(data)
                    except EOFError as again:
                        raise _failure(str(again)) from None
                else:
                    raise _failure(str(ended)) from None
        if "reading" not in answer:
            raise DataError(answer["message"], kind=answer["kind"])
        reading: Reading = answer["reading"]
        return reading

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._owner == os.getpid():
            process, self._process = self._process, None
            process.kill()
            process.communicate()

    def _ask(self, data: bytes) -> dict[str, Any]:
        process = self._started()
        assert process.stdin is not None, "a pipe"
        assert process.stdout is not None, "a pipe"
        timer = threading.Timer(WALL_SECONDS, process.kill)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(len(data).to_bytes(8, "little"))
            process.stdin.write(data)
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            timer.cancel()
        if line.endswith(b"\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        self._process = None
        process.kill()
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        code = process.wait()
        raise EOFError("time" if code == -signal.SIGXCPU else f"signal {-code}" if code < 0 else f"exit code {code}")

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "corpusmill.crawlers.readers.pdf.worker", *self._limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        return self._process


def _failure(reason: str) -> DataError:
    if reason == "time":
        return DataError("the file needs more processor time than the limit", kind="too_complex")
    return DataError(f"the PDF library crashed or ran out of memory ({reason})", kind="unreadable")


READER: Final = Reader()
"""The reader of this process."""
atexit.register(READER.close)
