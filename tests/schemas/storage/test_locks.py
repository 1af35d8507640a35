"""Locks across processes: races, killed holders, expired leases, stores without conditional writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.storage import open_store
from corpusmill.schemas.storage.leases import Lease, LockObject, lease
from tests.s3 import Server

HOLD = """
import sys, time
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.storage import open_store
url, lease_s, hold_s = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
store = open_store(url)
store.exists("warm")
print("ready", flush=True)
sys.stdin.readline()
try:
    with store.lock("locks/a", subject="`a`", lease_s=lease_s):
        print("held", flush=True)
        time.sleep(hold_s)
except UnfinishedError as error:
    print("refused", error, flush=True)
"""


@pytest.fixture(params=["local", "s3"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a store that several processes can use."""
    return str(tmp_path) if request.param == "local" else str(request.getfixturevalue("s3_url"))


def holders(count: int, url: str, *, lease_s: float = 60) -> list[subprocess.Popen[str]]:
    """Start processes that take the lock when they receive a line, and hold it for a minute."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD, url, str(lease_s), "60"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    assert [line(process) for process in processes] == ["ready"] * count
    return processes


def line(process: subprocess.Popen[str]) -> str:
    """Return the next line that *process* prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def start(*processes: subprocess.Popen[str]) -> None:
    """Let *processes* continue at the same time."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def end(*processes: subprocess.Popen[str]) -> None:
    """Kill *processes* in whatever state they are."""
    for process in processes:
        process.kill()
        process.communicate()


def test_one_of_several_processes_gets_the_lock(shared_url: str) -> None:
    """The others name the winner in their message, so that a user can find it."""
    processes = holders(4, shared_url)
    try:
        start(*processes)
        answers = [line(process) for process in processes]
    finally:
        end(*processes)

    (winner,) = [process.pid for process, answer in zip(processes, answers, strict=True) if answer == "held"]
    refused = [answer for answer in answers if answer != "held"]
    assert len(refused) == 3
    assert all(answer.startswith(f"refused `a` is in use by process {winner} on ") for answer in refused)
    fallback = Path(os.environ["CORPUSMILL_SCRATCH"]) / "locks"
    assert not fallback.exists(), "the lock is on the store, not on this machine"


def test_the_lock_of_a_killed_process_is_free_at_once_on_a_disk(tmp_path: Path) -> None:
    """A crashed run must not block the next one."""
    (process,) = holders(1, str(tmp_path))
    start(process)
    assert line(process) == "held"
    with pytest.raises(UnfinishedError, match=f"process {process.pid} on "), open_store(tmp_path).lock("locks/a"):
        pass

    process.send_signal(signal.SIGKILL)
    process.communicate()

    with open_store(tmp_path).lock("locks/a"):
        pass


def test_the_lock_of_a_killed_process_is_free_after_its_lease_on_a_store(s3_url: str) -> None:
    """A running holder keeps the lock beyond its first lease; only one process takes over an expired lease."""
    first, *others = holders(3, s3_url, lease_s=2)
    try:
        start(first)
        assert line(first) == "held"
        time.sleep(5)  # two leases
        store = open_store(s3_url)
        with pytest.raises(UnfinishedError, match=f"process {first.pid} on ") as refused, store.lock("locks/a"):
            pass
        assert "its lock ends in" in str(refused.value.hint)
        first.send_signal(signal.SIGKILL)
        with pytest.raises(UnfinishedError), store.lock("locks/a"):
            pass
        time.sleep(5)

        start(*others)

        assert sorted(line(process).split()[0] for process in others) == ["held", "refused"]
    finally:
        end(first, *others)


def test_a_lost_lock_is_noticed(s3: Server, s3_url: str) -> None:
    """A process that cannot renew its lease must not publish, because another one may have started."""
    store = open_store(s3_url)
    with store.lock("locks/a", lease_s=1) as lock:
        lock.check()
        s3.denied = "/locks/a"
        time.sleep(1.2)
        with pytest.raises(UnfinishedError, match="the lock of `locks/a` was lost"):
            lock.check()
        s3.heal()
    content = json.loads(store.read("locks/a"))

    assert content["released"]


def test_a_lock_that_was_taken_over_is_not_released(s3_url: str) -> None:
    """Releasing it would take the lock away from the new holder."""
    store = open_store(s3_url)
    other = b'{"pid": 1, "host": "elsewhere", "since": "today"}'
    with store.lock("locks/a", lease_s=1) as lock:
        store.write("locks/a", other)
        time.sleep(0.7)
        with pytest.raises(UnfinishedError, match="was lost"):
            lock.check()

    assert store.read("locks/a") == other
    with pytest.raises(UnfinishedError, match="process 1 on elsewhere since today"), store.lock("locks/a"):
        pass


def test_a_lock_on_an_unreachable_store_is_an_error(s3: Server, s3_url: str) -> None:
    """Falling back to a lock of this machine would not stop other machines."""
    store = open_store(s3_url)
    s3.denied = "/locks/a"

    with pytest.raises(UnfinishedError, match="permission denied"), store.lock("locks/a"):
        pass


class Object:
    """An object of a store, with a clock and faults controlled by the test."""

    def __init__(self, *, checks_conditions: bool = True) -> None:
        self.content: bytes | None = None
        self.age_s = 0.0
        self.checks_conditions = checks_conditions
        self.loses_responses = False
        self.writes = 0

    def get(self) -> LockObject | None:
        return None if self.content is None else LockObject(self.content, str(self.writes), self.age_s)

    def put(self, content: bytes, *, etag: str | None) -> str | None:
        if self.checks_conditions and etag != (None if self.content is None else str(self.writes)):
            return None
        self.content, self.age_s = content, 0.0
        self.writes += 1
        return None if self.loses_responses else str(self.writes)


def one_minute_lease(place: Object, **changes: Any) -> Any:
    """Return a lease of a minute on *place*, with *changes* of its parameters."""
    return lease(place, subject="`a`", **{"wait_s": 0, "lease_s": 60, **changes})


def test_a_write_counts_when_its_response_is_lost() -> None:
    """Libraries retry, and the retry fails because the first write succeeded."""
    place = Object()
    place.loses_responses = True

    with one_minute_lease(place) as lock:
        lock.check()
        with pytest.raises(UnfinishedError), one_minute_lease(place):
            pass


@pytest.mark.parametrize(("age_s", "is_free"), [(0, False), (60, False), (60.9, False), (61.1, True), (-5, False)])
def test_a_lease_ends_by_the_clock_of_the_store(age_s: float, is_free: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The local clock can jump. The store's clock has a resolution of a second."""
    place = Object()
    dead = Lease(place, subject="`a`", lease_s=60)
    dead._write(etag=None)
    place.age_s = age_s
    monkeypatch.setattr(time, "time", lambda: 0.0)

    if is_free:
        with one_minute_lease(place) as lock:
            lock.check()
    else:
        with pytest.raises(UnfinishedError, match=f"process {os.getpid()}"), one_minute_lease(place):
            pass


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"lease_s": "soon"}', b"\xff"])
def test_a_lock_with_unknown_content_lasts_a_minute(content: bytes) -> None:
    """Another program can have written it, so it must neither crash nor block forever."""
    place = Object()
    place.content = content

    with pytest.raises(UnfinishedError, match="by another process"), one_minute_lease(place):
        pass
    place.age_s = 62
    with one_minute_lease(place):
        pass


def test_a_store_that_ignores_conditions_is_detected() -> None:
    """Some S3 servers ignore headers that they do not support, so two processes would both hold the lock."""
    with pytest.raises(NotImplementedError), one_minute_lease(Object(checks_conditions=False)):
        pass


@pytest.fixture
def _unconditional_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> str:
        raise NotImplementedError

    monkeypatch.setattr("corpusmill.schemas.storage.objects._S3Object.put", refuse)


@pytest.mark.usefixtures("_unconditional_store")
def test_without_conditional_writes_a_lock_covers_one_machine(s3_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A warning says that other machines are not locked out."""
    store = open_store(s3_url)

    with (
        store.lock("locks/a"),
        pytest.raises(UnfinishedError, match=f"process {os.getpid()} on "),
        store.lock("locks/a"),
    ):
        pass

    assert "nothing prevents two machines from writing at the same time" in caplog.text
