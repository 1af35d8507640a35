"""Leases: locks on a store with conditional writes. The holder renews its lease; an expired lease can be taken over.

The lock is one object, created with ``If-None-Match: *`` and changed with ``If-Match``, so that only one of several
concurrent writers succeeds. Expiry depends on the store's clock (the modification time of the object and the time of
the response) and on the uptime of this machine, never on the local wall clock, which can be wrong or jump.
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
from corpusmill.schemas.storage.base import WAIT, Lock, holder, lock_held_error

_POLL_S: Final = 0.5
_RESOLUTION_S: Final = 1
"""Stores report times in whole seconds, so a lease can seem this much older than it is."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LockObject:
    """The object of a lock as read from the store."""

    content: bytes
    etag: str
    age_s: float


class Conditional(Protocol):
    """One object that supports conditional writes."""

    def get(self) -> LockObject | None:
        """Return the object, or None if it does not exist."""

    def put(self, content: bytes, *, etag: str | None) -> str | None:
        """Write *content* if the object's tag is still *etag*, or if the object does not exist and *etag* is None.

        Returns:
            The new tag, or None if the condition does not hold.

        Raises:
            NotImplementedError: The store does not support conditional writes.
        """


class Lease(Lock):
    """A lock that is held until `release`, or until it has not been renewed for *lease_s* seconds."""

    def __init__(self, place: Conditional, *, subject: str, lease_s: float) -> None:
        self._place = place
        self._subject = subject
        self._lease_s = lease_s
        self._content = {**holder(), "lease_s": lease_s, "token": uuid.uuid4().hex, "beat": 0}
        self._etag: str | None = None
        self._renewed_s = 0.0
        self._is_taken = False
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease of {subject}", daemon=True)

    def acquire(self) -> LockObject | None:
        """Take the lock and return None, or return the lock object if somebody else holds it."""
        for _ in range(3):  # another process can be faster each time
            if self._write(etag=None):
                break
            current = self._place.get()
            if current is None:
                continue
            if not _is_free(current):
                return current
            if self._write(etag=current.etag):
                break
        else:
            return self._place.get()
        self._refuse_unconditional_store()
        self._thread.start()
        return None

    def _refuse_unconditional_store(self) -> None:
        """Raise `NotImplementedError` if the store ignores conditions: creating the object again must fail."""
        if self._place.put(self._bytes(), etag=None) is not None:
            raise NotImplementedError

    def _write(self, *, etag: str | None, **changes: Any) -> bool:
        """Write the lock with the next beat if its tag is still *etag*; return whether this process now holds it."""
        now = _running_s()
        self._content.update(changes, beat=self._content["beat"] + 1)
        tag = self._place.put(self._bytes(), etag=etag)
        if tag is None:  # the write can still have succeeded: the library retries when a response is lost
            current = self._place.get()
            tag = current.etag if current is not None and current.content == self._bytes() else None
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
                _log.warning("the lock of %s could not be renewed: %s", self._subject, error)
            if self._is_taken:
                return

    def check(self) -> None:
        if self._is_taken or _running_s() - self._renewed_s > self._lease_s:
            raise UnfinishedError(
                f"the lock of {self._subject} was lost: it could not be renewed for {self._lease_s:g} s",
                hint="run again: finished work is kept",
            )

    def release(self) -> None:
        """Release the lock; if the store does not respond, the lock ends when the lease expires."""
        self._released.set()
        self._thread.join()
        if self._is_taken:
            return
        try:
            self._write(etag=self._etag, released=True)
        except CorpusmillError as error:
            _log.warning("the lock of %s ends in %g s: %s", self._subject, self._lease_s, error)


@contextlib.contextmanager
def lease(place: Conditional, *, subject: str, wait_s: float, lease_s: float) -> Iterator[Lease]:
    """Hold the lock at *place* for the duration of the block.

    Raises:
        LockHeldError: Another process holds the lock for longer than *wait_s*.
        NotImplementedError: The store does not support conditional writes.
    """
    deadline = time.monotonic() + wait_s
    lock = Lease(place, subject=subject, lease_s=lease_s)
    while (current := lock.acquire()) is not None:
        if time.monotonic() >= deadline:
            raise lock_held_error(subject, current.content, hint=_hint(current))
        time.sleep(_POLL_S)
    try:
        yield lock
    finally:
        lock.release()


def _hint(lock: LockObject) -> str:
    left_s = _lease_s(lock) + _RESOLUTION_S - lock.age_s
    return f"{WAIT}; if that process is dead, its lock ends in {max(left_s, 1):.0f} s"


def _is_free(lock: LockObject) -> bool:
    return lock.age_s > _lease_s(lock) + _RESOLUTION_S or bool(_parsed(lock.content).get("released"))


def _lease_s(lock: LockObject) -> float:
    """Return the duration of the lease in seconds, or 60 if the lock object cannot be parsed."""
    value = _parsed(lock.content).get("lease_s")
    return float(value) if isinstance(value, int | float) else 60.0


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _running_s() -> float:
    """Return the seconds since this machine started, including sleep if the system counts it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
