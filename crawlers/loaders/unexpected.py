"""Mistakes in our readers: files can be broken in ways that no reader expects, and must not end a run."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from corpusmill.schemas.errors import CorpusmillError, DataError

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def expected() -> Iterator[None]:
    """Convert an exception that no reader should raise into a `DataError`, as stages do for their documents.

    Errors of the machine (disk, memory) and `CorpusmillError` stay as they are: the run stops for them.

    Raises:
        DataError: ``unexpected``: the body fails with another exception, which the message names.

    >>> with expected():
    ...     int("x")
    Traceback (most recent call last):
    corpusmill.schemas.errors.DataError: ValueError: invalid literal for int() with base 10: 'x'
    """
    try:
        yield
    except (CorpusmillError, OSError, MemoryError):
        raise
    except Exception as error:
        _log.warning("a reader failed", exc_info=True)
        raise DataError(f"{type(error).__name__}: {error}"[:500], kind="unexpected") from error
