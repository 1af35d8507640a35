"""`corpusmill doctor`: what this machine can do, each with a hint where it cannot."""

import json
import resource
from pathlib import Path

import pytest

from corpusmill.pipelines.projects import doctor as module
from corpusmill.pipelines.projects.doctor import disk_space, doctor, installed_extra, java_version, open_files, writable


def test_the_machine_that_runs_the_tests_is_fine(tmp_path: Path) -> None:
    """What the tests need is there: the interpreter, a place to write, processors."""
    checks = {check.name: check for check in doctor(tmp_path / "corpus")}

    assert {name for name in ("python", "processors", "workspace") if checks[name].status != "ok"} == set()
    assert not (tmp_path / "corpus").exists()
    json.dumps([check.as_dict() for check in checks.values()])


def test_everything_that_is_not_ok_has_a_hint() -> None:
    """Whoever reads `missing` wants to know what to type."""
    assert all(check.hint for check in doctor() if check.status != "ok")


def test_a_missing_extra_names_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An extra is missing when one of its distributions is."""
    monkeypatch.setattr(module, "missing_from", lambda extra: ("pyspark",))

    check = installed_extra("spark")

    assert (check.status, check.found) == ("missing", "not installed: pyspark")
    assert check.hint == "for the engine `spark`: pip install 'corpusmill[spark]'"


@pytest.mark.parametrize(
    ("says", "status"),
    [
        ('openjdk version "21.0.4" 2024-07-16', "ok"),
        ('java version "1.8.0_392"', "warning"),
        ("Segmentation fault", "warning"),
    ],
)
def test_the_java_of_java_home_is_asked_for_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, status: str
) -> None:
    """Spark uses JAVA_HOME, so an older Java there is what counts."""
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    assert java_version().status == status


def test_without_java_the_engine_that_needs_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All other engines work without."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    check = java_version()

    assert check.status == "missing"
    assert "engine `spark`" in (check.hint or "")


def test_a_workspace_that_cannot_be_written_is_missing() -> None:
    """Found before hours of work, not behind them; nobody, root included, writes into /proc."""
    check = writable(Path("/proc/corpus"))

    assert check.status == "missing"
    assert check.found.startswith("/proc: ")


def test_a_full_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`gc` is what helps first."""
    monkeypatch.setattr(module, "MIN_FREE_BYTES", 10**18)

    assert disk_space(tmp_path).status == "warning"


def test_a_low_limit_of_open_files_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS begins with 256."""
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (256, 1024))

    check = open_files()

    assert (check.status, check.found, check.hint) == ("warning", "256", "ulimit -n 1024")
