"""Locks on a store that writes conditionally: a lease, which its holder renews and anybody may take once it has ended.

The lock is one object. It is made with ``If-None-Match: *`` and changed with ``If-Match``, so of several that try, one
succeeds. Whether a lease has ended is decided by the store's own clock (the time of the object against the time of the
answer) and by the time that this machine has been running, so that a wall clock may jump or be wrong.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from corpusmill.schemas.errors import CorpusmillError, UnfinishedError
from corpusmill.schemas.storage.base import WAIT, Lock, held, holder

_POLL_S: Final = 0.5
_RESOLUTION_S: Final = 1
"""A store tells times in whole seconds, so a lease may look older by this much than it is."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """The object of a lock, as the store has it."""

    content: bytes
    etag: str
    age_s: float


class Conditional(Protocol):
    """One object that is written under a condition."""

    def get(self) -> Found | None:
        """Return the object, None when there is none."""

    def put(self, content: bytes, *, etag: str | None) -> str | None:
        """Write *content* if the object still is *etag* (None: is not there); return its new tag, None when it is not.

        Raises:
            NotImplementedError: The store has no conditions.
        """


class Lease(Lock):
    """A lock that is held until `release`, or until it was not renewed for *lease_s* seconds."""

    def __init__(self, place: Conditional, *, what: str, lease_s: float) -> None:
        self._place = place
        self._what = what
        self._lease_s = lease_s
        self._content = {**holder(), "lease_s": lease_s, "token": uuid.uuid4().hex, "beat": 0}
        self._etag: str | None = None
        self._renewed_s = 0.0
        self._is_taken = False
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease of {what}", daemon=True)

    def acquire(self) -> Found | None:
        """Take the lock; return what another holder wrote into it where it is held."""
        for _ in range(3):  # each time somebody else was faster
            if self._write(etag=None):
                break
            found = self._place.get()
            if found is None:
                continue
            if not _is_free(found):
                return found
            if self._write(etag=found.etag):
                break
        else:
            return self._place.get()
        self._refuse_blind_store()
        self._thread.start()
        return None

    def _refuse_blind_store(self) -> None:
        """Make sure that the store looks at conditions at all: a second first write has to fail."""
        if self._place.put(self._bytes(), etag=None) is not None:
            raise NotImplementedError

    def _write(self, *, etag: str | None, **changes: Any) -> bool:
        """Write the lock with the next beat if it still is *etag*; return whether it is ours then."""
        now = _running_s()
        self._content.update(changes, beat=self._content["beat"] + 1)
        tag = self._place.put(self._bytes(), etag=etag)
        if tag is None:  # or it was written and the answer was lost, and the library tried again
            found = self._place.get()
            tag = found.etag if found is not None and found.content == self._bytes() else None
        if tag is not None:
            self._etag, self._renewed_s = tag, now
        return tag is not None

    def _bytes(self) -> bytes:
        return json.dumps(self._content).encode()

    def _beat(self) -> None:
        """Renew the lease until it is released or lost."""
        while not self._released.wait(self._lease_s / 4):
            try:
                self._is_taken = not self._write(etag=self._etag)
            except CorpusmillError as error:
                _log.warning("the lock of %s could not be renewed: %s", self._what, error)
            if self._is_taken:
                return

    def check(self) -> None:
        if self._is_taken or _running_s() - self._renewed_s > self._lease_s:
            raise UnfinishedError(
                f"the lock of {self._what} was lost: it could not be renewed for {self._lease_s:g} s",
                hint="run again: what was finished is kept",
            )

    def release(self) -> None:
        """Let others take the lock; when the store does not answer, they can when the lease ends."""
        self._released.set()
        self._thread.join()
        if self._is_taken:
            return
        try:
            self._write(etag=self._etag, released=True)
        except CorpusmillError as error:
            _log.warning("the lock of %s ends in %g s: %s", self._what, self._lease_s, error)


@contextlib.contextmanager
def lease(place: Conditional, *, what: str, wait_s: float, lease_s: float) -> Iterator[Lease]:
    """Hold the lock at *place*.

    Raises:
        LockHeldError: Somebody else holds it for longer than *wait_s*.
        NotImplementedError: The store has no conditions.
    """
    deadline = time.monotonic() + wait_s
    lock = Lease(place, what=what, lease_s=lease_s)
    while (found := lock.acquire()) is not None:
        if time.monotonic() >= deadline:
            raise held(what, found.content, hint=_hint(found))
        time.sleep(_POLL_S)
    try:
        yield lock
    finally:
        lock.release()


def _hint(found: Found) -> str:
    left_s = _lease_s(found) + _RESOLUTION_S - found.age_s
    return f"{WAIT}; if that process is dead, its lock ends in {max(left_s, 1):.0f} s"


def _is_free(found: Found) -> bool:
    return found.age_s > _lease_s(found) + _RESOLUTION_S or bool(_parsed(found.content).get("released"))


def _lease_s(found: Found) -> float:
    """Return how long the lease lasts, seconds; of one that cannot be read, a minute."""
    value = _parsed(found.content).get("lease_s")
    return float(value) if isinstance(value, int | float) else 60.0


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _running_s() -> float:
    """Return the seconds since this machine started, those that it slept through too where the system counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
