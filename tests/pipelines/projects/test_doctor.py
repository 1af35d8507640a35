"""`corpusmill doctor`: checks of this machine, with hints."""

import json
import resource
from pathlib import Path

import pytest

from corpusmill.pipelines.projects import doctor as module
from corpusmill.pipelines.projects.doctor import (
    Check,
    disk_space,
    doctor,
    installed_extra,
    java_version,
    open_files,
    readiness,
    store_access,
    writable,
)
from corpusmill.schemas.installing import install_command
from corpusmill.schemas.storage import open_store
from tests.read_only import read_only
from tests.s3 import Server


def test_the_machine_that_runs_the_tests_is_fine(tmp_path: Path) -> None:
    """The machine has what the tests need: interpreter, workspace, processors."""
    checks = {check.name: check for check in doctor(tmp_path / "corpus")}

    assert {name for name in ("python", "processors", "workspace") if checks[name].status != "ok"} == set()
    assert not (tmp_path / "corpus").exists()
    json.dumps([check.as_dict() for check in checks.values()])


def test_everything_that_is_not_ok_has_a_hint() -> None:
    """Users need a command or change that fixes the problem."""
    assert all(check.hint for check in doctor() if check.status != "ok")


def test_a_missing_extra_names_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An extra is missing if one of its distributions is."""
    monkeypatch.setattr(module, "missing_from", lambda extra: ("pyspark",))

    check = installed_extra("spark")

    assert (check.status, check.found) == ("optional", "not installed: pyspark")
    assert check.hint == f"for the engine `spark`: {install_command('spark')}"


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ({"python": "ok", "extra train": "ok", "disk": "warning"}, "ready: corpora yes, training yes"),
        ({"python": "ok", "extra train": "optional", "java": "optional"}, "ready: corpora yes, training no"),
        ({"workspace": "missing", "extra train": "ok"}, "ready: corpora no, training no"),
        ({"version docs@1": "damaged", "extra train": "ok"}, "ready: corpora no, training no"),
    ],
)
def test_the_last_line_says_what_the_machine_can_do(statuses: dict[str, str], verdict: str) -> None:
    """An optional extra that is not installed is no fault of the machine."""
    assert readiness([{"name": name, "status": status} for name, status in statuses.items()]) == verdict


@pytest.mark.parametrize(
    ("says", "status"),
    [
        ('openjdk version "21.0.4" 2024-07-16', "ok"),
        ('java version "1.8.0_392"', "warning"),
        ("Segmentation fault", "warning"),
    ],
)
def test_the_version_of_java_in_java_home_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, status: str
) -> None:
    """Spark uses JAVA_HOME, even if another Java is newer."""
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    assert java_version().status == status


def test_without_java_the_engine_that_needs_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All other engines work without Java."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    check = java_version()

    assert check.status == "optional"
    assert "engine `spark`" in (check.hint or "")


def test_a_workspace_that_cannot_be_written_is_missing() -> None:
    """This is detected before hours of work. Not even root can write to /proc."""
    check = writable(Path("/proc/corpus"))

    assert check.status == "missing"
    assert check.found.startswith("/proc: ")


def test_a_file_in_the_place_of_the_workspace_is_noticed(tmp_path: Path) -> None:
    """A writable parent folder does not help."""
    (tmp_path / "corpus").write_text("in the way")

    assert writable(tmp_path / "corpus").found == f"{tmp_path / 'corpus'}: Not a directory"


def test_a_store_is_tested_without_changing_it(s3_url: str, tmp_path: Path) -> None:
    """The test object is removed, and no missing folder is created."""
    near = open_store(tmp_path / "store")

    for store in (open_store(s3_url), near):
        assert store_access(store) == Check("store", "ok", store.address())
        assert store.files() == []
    assert not (tmp_path / "store").exists()
    assert doctor(tmp_path, store=near)[-1].name == "store"
    assert {check.name for check in doctor(tmp_path)}.isdisjoint({"store"})


def test_a_store_that_cannot_be_used_is_missing(s3: Server, s3_url: str) -> None:
    """The check has a reason and a hint; nothing is written if listing fails."""
    s3.denied = "/corpora"  # requests to list the bucket
    unlisted = store_access(open_store(s3_url))
    methods = {seen.method for seen in s3.requests}
    s3.heal()
    s3.puts_until_down = 0
    unwritten = store_access(open_store(s3_url))
    s3.heal()
    lost = store_access(open_store("s3://not-there/x"))

    assert {check.status for check in (unlisted, unwritten, lost)} == {"missing"}
    assert all(check.hint for check in (unlisted, unwritten, lost))
    assert "cannot list: permission denied" in unlisted.found
    assert methods == {"GET"}
    assert "cannot write: the store does not respond" in unwritten.found
    assert "the bucket does not exist" in lost.found


def test_a_folder_that_cannot_be_written_fails_as_a_store(tmp_path: Path) -> None:
    """The hint has the option for another store."""
    with read_only(tmp_path):
        check = store_access(open_store(tmp_path / "store"))

    assert (check.status, check.found) == ("missing", f"{tmp_path}: {check.found.rpartition(': ')[2]}")
    assert "--store" in (check.hint or "")


def test_a_full_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint is to run `gc`."""
    monkeypatch.setattr(module, "MIN_FREE_BYTES", 10**18)

    assert disk_space(tmp_path).status == "warning"


def test_a_low_limit_of_open_files_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default on macOS is 256."""
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (256, 1024))

    check = open_files()

    assert (check.status, check.found, check.hint) == ("warning", "256", "ulimit -n 1024")
