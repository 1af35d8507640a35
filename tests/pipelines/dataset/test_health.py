import zipfile
from pathlib import Path

import pytest

from corpusmill.crawlers.load import load
from corpusmill.crawlers.loaders.streams import sha256_of
from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.health import damaged_files, repaired, verified
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UnfinishedError
from tests.crawlers.test_load import source
from tests.pipelines.dataset.corpora import docs, publish_version, write_raw
from tests.read_only import read_only


def test_a_whole_workspace_is_ok(workspace: Workspace, tmp_path: Path) -> None:
    """There is one row for each version and source."""
    version = publish_version(workspace, docs(range(5)))
    (tmp_path / "a.txt").write_text("a")
    write_raw(workspace, "docs", [tmp_path / "a.txt"])

    rows = verified(workspace)

    assert [(row["name"], row["status"]) for row in rows] == [(f"version {version.name}", "ok"), ("source docs", "ok")]
    assert set(rows[0]) == {"name", "status", "found", "hint"}


@pytest.mark.parametrize("kind", ["shard", "ledger", "signals", "origin"])
def test_one_changed_byte_is_found_and_named(workspace: Workspace, kind: str) -> None:
    """Hashes in the manifest detect corruption of the disk."""
    version = publish_version(workspace, docs(range(5)))
    path = version.files(kind)[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    (row,) = verified(workspace)

    assert (row["status"], row["found"]) == ("damaged", f"{path}: the SHA-256 differs")
    assert list(damaged_files(version)) == [row["found"]]


def test_missing_and_truncated_files_are_distinguished(workspace: Workspace, tmp_path: Path) -> None:
    """They need different repairs."""
    version = publish_version(workspace, docs(range(5)))
    gone, cut = version.files("shard")[:2]
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-1])
    raw = tmp_path / "a.txt"
    raw.write_text("a")
    write_raw(workspace, "docs", [raw])
    raw.write_text("ab")

    findings = [row["found"] for row in verified(workspace)]

    assert findings[0] == f"{gone}: No such file or directory"
    assert findings[1].startswith(f"{cut}: ")
    assert findings[2] == f"{raw}: 2 bytes instead of 1"


def test_broken_manifests_are_reported_as_rows(workspace: Workspace) -> None:
    """The check continues with the other files."""
    version = publish_version(workspace, docs(range(5)))
    (version.path / "manifest.json").write_text("{}")
    write_raw(workspace, "docs", [])
    workspace.raw("docs").write("manifest.json", "{")

    assert [row["status"] for row in verified(workspace)] == ["damaged", "damaged"]
    assert [row["status"] for row in repaired(workspace)] == ["ok", "damaged"]
    (workspace.versions / "my-docs" / publications.LOG).unlink()
    assert [row["status"] for row in repaired(workspace)] == ["damaged", "damaged"]


def test_repairing_sweeps_adopts_and_indexes(workspace: Workspace) -> None:
    """After a crash, a copy or a move, one command repairs the workspace."""
    publish_version(workspace, docs(range(5)))
    folder = workspace.versions / "my-docs"
    (folder / publications.LOG).unlink()
    (folder / ".staging-0123456789abcdef").mkdir()

    rows = repaired(workspace)

    assert rows[0]["found"] == "1 publications, 1 versions adopted, 1 unfinished publications removed"
    assert rows[1]["found"] == "rebuilt: 1 publications"
    assert (folder / publications.LOG).exists()
    assert [row["found"] for row in repaired(workspace)] == ["1 publications", "rebuilt: 1 publications"]


def test_a_data_set_in_use_is_left_alone(workspace: Workspace) -> None:
    """Files that look unfinished may belong to the running process."""
    publish_version(workspace, docs(range(5)))
    staging = workspace.versions / "my-docs" / ".staging-0123456789abcdef"
    staging.mkdir()

    with workspace.lock("dataset", "my-docs"):
        rows = repaired(workspace)

    assert rows[0]["status"] == "warning"
    assert staging.is_dir()


def test_an_invalid_database_is_renamed(workspace: Workspace) -> None:
    """The list of runs is lost, but no publication."""
    publish_version(workspace, docs(range(5)))
    workspace.database.write_bytes(b"these are somebody's notes" * 1000)

    rows = repaired(workspace)

    assert rows[1]["status"] == "ok"
    assert "the damaged database is now corpusmill.db.damaged-" in rows[1]["found"]
    assert workspace.runs() == []


def test_a_workspace_that_cannot_be_written_cannot_be_repaired(workspace: Workspace) -> None:
    """The error names the folder, and nothing is changed."""
    publish_version(workspace, docs(range(5)), is_indexed=True)

    with read_only(workspace.root), pytest.raises(UnfinishedError) as refused:
        repaired(workspace)

    assert str(refused.value).startswith(f"the workspace {workspace.root} cannot be written: ")
    assert "change owner or mode" in str(refused.value.hint)


def test_a_database_that_cannot_be_written_is_named(workspace: Workspace) -> None:
    """Another user may own the database."""
    publish_version(workspace, docs(range(5)), is_indexed=True)

    with read_only(workspace.database):
        row = repaired(workspace)[-1]

    assert row["status"] == "damaged"
    assert row["found"].startswith(f"{workspace.database}: cannot write: ")
    assert row["hint"] == "change its owner or mode, then run `corpusmill doctor --repair` again"


def test_a_data_set_that_cannot_be_written_does_not_hide_the_others(workspace: Workspace) -> None:
    """It must not be reported as in use either."""
    for dataset in ("closed", "open"):
        publish_version(workspace, docs(range(5)), dataset=dataset)
        (workspace.versions / dataset / publications.LOG).unlink(missing_ok=True)

    with read_only(workspace.versions / "closed"):
        closed, other, _ = repaired(workspace)

    assert (closed["status"], other["status"]) == ("damaged", "ok")
    assert "cannot write: " in closed["found"]
    assert "change owner or mode" in closed["hint"]


def test_an_empty_workspace_can_be_checked(workspace: Workspace) -> None:
    """`doctor` may run before the first run."""
    assert verified(workspace) == []
    assert [row["status"] for row in repaired(workspace)] == ["ok"]
    assert not workspace.root.exists()


def test_a_damaged_member_of_an_archive_is_named(workspace: Workspace, tmp_path: Path) -> None:
    """The archive is there, but the record that a run reads is another one."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.txt", "a good text")
        archive.writestr("bad.txt", "a text that rots")
    load(source("a.zip!/*.txt"), workspace.store.below("raw/a"), base=tmp_path)
    assert [row["status"] for row in verified(workspace, member_hash=sha256_of)] == ["ok"]
    path.write_bytes(path.read_bytes().replace(b"rots", b"ROTS"))

    (row,) = verified(workspace, member_hash=sha256_of)

    assert row["found"] == f"{path}!/bad.txt: the member is damaged: Bad CRC-32 for file 'bad.txt'"
