"""The process that reads PDF files: each request is the size of a file and its bytes, each answer a line of JSON."""

from __future__ import annotations

import json
import logging
import resource
import signal
import sys
from typing import Any

from corpusmill.crawlers.readers.pdf.document import read
from corpusmill.schemas.errors import DataError


def main() -> None:
    """Answer requests until the input ends. The processor time of a request and the memory are limited."""
    seconds, memory = int(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent closes the input
    logging.disable(logging.CRITICAL)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, memory)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := requests.read(8):
        data = requests.read(int.from_bytes(head, "little"))
        usage = resource.getrusage(resource.RUSAGE_SELF)
        spent = usage.ru_utime + usage.ru_stime
        _limit(resource.RLIMIT_CPU, int(spent) + 1 + seconds, soft_only=True)
        answers.write(json.dumps(_answer(data)).encode() + b"\n")
        answers.flush()


def _answer(data: bytes) -> dict[str, Any]:
    try:
        return {"reading": dict(read(data))}
    except DataError as error:
        return {"kind": error.kind, "message": error.message}
    except (MemoryError, RecursionError):
        return {"kind": "too_large", "message": "the file needs more memory than the limit"}


def _limit(kind: int, value: int, *, soft_only: bool = False) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, hard if soft_only else value))


if __name__ == "__main__":
    main()
