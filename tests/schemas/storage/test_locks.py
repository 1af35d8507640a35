"""Locks across processes: races, killed holders, leases that end, stores without conditions."""

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
from corpusmill.schemas.storage.leases import Found, Lease, lease
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
    with store.lock("locks/a", what="`a`", lease_s=lease_s):
        print("held", flush=True)
        time.sleep(hold_s)
except UnfinishedError as error:
    print("refused", error, flush=True)
"""


@pytest.fixture(params=["local", "s3"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place that several processes see."""
    return str(tmp_path) if request.param == "local" else str(request.getfixturevalue("s3_url"))


def holders(count: int, url: str, *, lease_s: float = 60) -> list[subprocess.Popen[str]]:
    """Processes that take the lock when they get a line, and keep it for a minute."""
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
    """The next line that the process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def start(*processes: subprocess.Popen[str]) -> None:
    """Let them go at the same time."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def end(*processes: subprocess.Popen[str]) -> None:
    """End them, however far they are."""
    for process in processes:
        process.kill()
        process.communicate()


def test_of_processes_that_race_for_a_lock_one_wins(shared_url: str) -> None:
    """The others learn its name."""
    processes = holders(4, shared_url)
    try:
        start(*processes)
        answers = [line(process) for process in processes]
    finally:
        end(*processes)

    (winner,) = [process.pid for process, answer in zip(processes, answers, strict=True) if answer == "held"]
    refused = [answer for answer in answers if answer != "held"]
    assert len(refused) == 3
    assert all(answer.startswith(f"refused `a` is being worked on by process {winner} on ") for answer in refused)
    fallback = Path(os.environ["CORPUSMILL_SCRATCH"]) / "locks"
    assert not fallback.exists(), "the store itself decided"


def test_the_lock_of_a_killed_process_is_free_at_once_on_a_disk(tmp_path: Path) -> None:
    """The operating system takes it back."""
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
    """As long as it renews, it keeps the lock; of those that want the ended one, one gets it."""
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


def test_a_lock_that_is_lost_is_noticed(s3: Server, s3_url: str) -> None:
    """Who cannot renew a lease must not publish: somebody else may have begun."""
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
    """The lock belongs to the new holder now."""
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


def test_a_lock_on_a_store_that_is_not_there_is_an_error(s3: Server, s3_url: str) -> None:
    """Not a lock that nobody else sees."""
    store = open_store(s3_url)
    s3.denied = "/locks/a"

    with pytest.raises(UnfinishedError, match="permission denied"), store.lock("locks/a"):
        pass


class Object:
    """One object of a store, whose clock and faults the test sets."""

    def __init__(self, *, looks_at_conditions: bool = True) -> None:
        self.content: bytes | None = None
        self.age_s = 0.0
        self.looks_at_conditions = looks_at_conditions
        self.loses_answers = False
        self.writes = 0

    def get(self) -> Found | None:
        return None if self.content is None else Found(self.content, str(self.writes), self.age_s)

    def put(self, content: bytes, *, etag: str | None) -> str | None:
        if self.looks_at_conditions and etag != (None if self.content is None else str(self.writes)):
            return None
        self.content, self.age_s = content, 0.0
        self.writes += 1
        return None if self.loses_answers else str(self.writes)


def held(place: Object, **changes: Any) -> Any:
    """A lease of a minute at *place*."""
    return lease(place, what="`a`", **{"wait_s": 0, "lease_s": 60, **changes})


def test_a_write_whose_answer_was_lost_is_a_write() -> None:
    """Libraries try again, and the second try finds the first."""
    place = Object()
    place.loses_answers = True

    with held(place) as lock:
        lock.check()
        with pytest.raises(UnfinishedError), held(place):
            pass


@pytest.mark.parametrize(("age_s", "is_free"), [(0, False), (60, False), (60.9, False), (61.1, True), (-5, False)])
def test_a_lease_ends_by_the_clock_of_the_store(age_s: float, is_free: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are whole seconds there, and ours may jump."""
    place = Object()
    dead = Lease(place, what="`a`", lease_s=60)
    dead._write(etag=None)
    place.age_s = age_s
    monkeypatch.setattr(time, "time", lambda: 0.0)

    if is_free:
        with held(place) as lock:
            lock.check()
    else:
        with pytest.raises(UnfinishedError, match=f"process {os.getpid()}"), held(place):
            pass


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"lease_s": "soon"}', b"\xff"])
def test_a_lock_that_cannot_be_read_is_one_of_a_minute(content: bytes) -> None:
    """Whoever wrote it may be another program."""
    place = Object()
    place.content = content

    with pytest.raises(UnfinishedError, match="by another process"), held(place):
        pass
    place.age_s = 62
    with held(place):
        pass


def test_a_store_that_does_not_look_at_conditions_is_found_out() -> None:
    """Some servers that speak S3 ignore what they do not know."""
    with pytest.raises(NotImplementedError), held(Object(looks_at_conditions=False)):
        pass


@pytest.fixture
def _blind_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> str:
        raise NotImplementedError

    monkeypatch.setattr("corpusmill.schemas.storage.objects._S3Object.put", refuse)


@pytest.mark.usefixtures("_blind_store")
def test_without_conditions_a_lock_is_one_of_the_machine(s3_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Which is said."""
    store = open_store(s3_url)

    with (
        store.lock("locks/a"),
        pytest.raises(UnfinishedError, match=f"process {os.getpid()} on "),
        store.lock("locks/a"),
    ):
        pass

    assert "two machines that write there are not kept apart" in caplog.text
