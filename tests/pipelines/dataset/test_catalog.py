import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.catalog import index_version, open_catalog, rebuild
from corpusmill.pipelines.dataset.history import rollback
from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.workspace import Workspace
from tests.pipelines.dataset.corpora import Doc, docs, publish_version


@contextlib.contextmanager
def table_of(workspace: Workspace, dataset: str = "my-docs") -> Iterator[Any]:
    with contextlib.closing(open_catalog(workspace)) as catalog:
        yield catalog.load_table(("corpusmill", dataset))


def rows(version: Version) -> list[dict[str, Any]]:
    documents = [row for batch in version.documents() for row in batch.to_pylist()]
    return sorted(documents, key=lambda row: str(row["id"]))


def scanned(table: Any, **scan: Any) -> list[dict[str, Any]]:
    documents: pa.Table = table.scan(**scan).to_arrow()
    return sorted(documents.to_pylist(), key=lambda row: str(row["id"]))


def test_the_table_has_the_content_of_the_shards(workspace: Workspace) -> None:
    """Any Iceberg reader can read versions, including maps and times."""
    version = publish_version(workspace, docs(range(20)), is_indexed=True)

    with table_of(workspace) as table:
        assert scanned(table) == rows(version)


def test_each_publication_is_one_tagged_snapshot(workspace: Workspace) -> None:
    """A tag selects a version; the table is the last publication, also after a rollback."""
    first = publish_version(workspace, docs(range(20)), is_indexed=True)
    second = publish_version(workspace, docs(range(10, 25)), is_indexed=True)
    rollback(workspace, "my-docs")

    with table_of(workspace) as table:
        tags = {name: ref.snapshot_id for name, ref in table.refs().items() if name != "main"}
        first_id, second_id = first.manifest.version, second.manifest.version
        assert sorted(tags) == [f"v-1-{first_id}", f"v-2-{second_id}", f"v-3-{first_id}"]
        assert len(table.snapshots()) == 3
        assert scanned(table) == rows(first)
        assert scanned(table, snapshot_id=tags[f"v-2-{second_id}"]) == rows(second)


def test_indexing_again_changes_nothing(workspace: Workspace) -> None:
    """A run that publishes an existing version also updates the index."""
    version = publish_version(workspace, docs(range(5)), is_indexed=True)

    assert index_version(workspace, version)

    with table_of(workspace) as table:
        assert len(table.snapshots()) == 1


def test_columns_may_come_and_go(workspace: Workspace) -> None:
    """Views belong to a version, not to a data set."""
    publish_version(workspace, docs(range(5)), is_indexed=True)
    wide = [Doc(f"{n}", f"text {n}", views={"lemmas": f"lemma {n}"}) for n in range(5)]
    with_view = publish_version(workspace, wide, views=["lemmas"], is_indexed=True)
    with table_of(workspace) as table:
        assert scanned(table) == rows(with_view)

    without = publish_version(workspace, docs(range(7)), is_indexed=True)

    with table_of(workspace) as table:
        assert scanned(table) == [{**row, "lemmas": None} for row in rows(without)]


def test_empty_shards_can_be_indexed(workspace: Workspace) -> None:
    """A small corpus has splits without documents."""
    version = publish_version(workspace, docs([1]), is_indexed=True)

    with table_of(workspace) as table:
        assert scanned(table) == rows(version)


def test_a_moved_workspace_is_indexed_again(workspace: Workspace, tmp_path: Path) -> None:
    """The catalog stores absolute paths; the manifests do not."""
    versions = [
        publish_version(workspace, docs(range(n)), at=datetime(2026, 1, n, tzinfo=UTC), is_indexed=True) for n in (3, 4)
    ]
    moved = Workspace(workspace.root.rename(tmp_path / "moved to here"))

    assert rebuild(moved) == (2, [])

    with table_of(moved) as table:
        assert len(table.scan().to_arrow()) == versions[1].manifest.counts.published
        assert all("moved to here" in task.file.file_path for task in table.scan().plan_files())
    publish_version(moved, docs(range(9)), is_indexed=True)


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_the_table_follows_the_store(
    kind: str, workspace: Workspace, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A workspace may be used with and without `--store`; the table then has the history of the store in use."""
    near = [publish_version(workspace, docs(range(n)), is_indexed=True) for n in (3, 4)]
    far = Workspace(workspace.root, str(tmp_path / "there") if kind == "folder" else request.getfixturevalue("s3_url"))

    publish_version(far, docs(range(3)))
    assert index_version(far, publish_version(far, docs(range(4))))

    with table_of(far) as table:
        places = [task.file.file_path for task in table.scan().plan_files()]
        assert all(place.startswith(far.store.address("versions")) for place in places)
        assert far.store.address("catalog") in table.metadata_location
        assert len(table.snapshots()) == 2
        assert scanned(table) == rows(near[1])
    assert index_version(workspace, near[1])
    with table_of(workspace) as table:
        places = [task.file.file_path for task in table.scan().plan_files()]
        assert all(place.startswith(workspace.store.address("versions")) for place in places)
        assert len(table.snapshots()) == 2


def test_tables_that_another_machine_rebuilt_can_be_indexed(tmp_path: Path) -> None:
    """`doctor --repair` on another machine removes the tables in this machine's database."""
    here, other = (Workspace(tmp_path / name, str(tmp_path / "store")) for name in ("here", "other"))
    for machine in (here, other):
        machine.root.mkdir()
    publish_version(here, docs(range(3)), is_indexed=True)
    assert rebuild(other) == (1, [])

    version = publish_version(here, docs(range(4)), is_indexed=True)

    with table_of(here) as table:
        assert len(table.snapshots()) == 2
        assert scanned(table) == rows(version)


def test_a_damaged_publication_is_left_out_of_a_rebuilt_table(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is reported, and the newest publication is indexed."""
    publish_version(workspace, docs(range(3)), is_indexed=True)
    far = Workspace(workspace.root, str(tmp_path / "there"))
    bad, good = publish_version(far, docs(range(4))), publish_version(far, docs(range(5)))
    bad.files("shard")[0].unlink()

    assert not index_version(far, good)

    assert bad.name in caplog.text
    with table_of(far) as table:
        assert scanned(table) == rows(good)


def test_the_catalog_lives_beside_the_runs(workspace: Workspace) -> None:
    """Both are in one database; rebuilding the index must keep the runs."""
    workspace.make()
    run = workspace.start_run(dataset="my-docs", recipe="r", engine="local")
    publish_version(workspace, docs(range(3)), is_indexed=True)

    rebuild(workspace)

    assert [row["run"] for row in workspace.runs()] == [run]


def test_a_damaged_version_does_not_hide_the_others(workspace: Workspace) -> None:
    """The index has the readable versions, and the errors of others are reported."""
    publish_version(workspace, docs(range(3)), dataset="good")
    bad = publish_version(workspace, docs(range(4)), dataset="bad")
    bad.files("shard")[0].unlink()

    total, problems = rebuild(workspace)

    assert total == 1
    assert len(problems) == 1
    assert problems[0].startswith(bad.name)


def test_an_index_that_cannot_be_written_does_not_fail_the_run(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    """The version is published, and the warning says how to rebuild the index."""
    version = publish_version(workspace, docs(range(3)))
    workspace.database.write_bytes(b"this is no database, but somebody's notes" * 100)

    assert not index_version(workspace, version)

    assert "doctor --repair" in caplog.text
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(workspace.database).execute("SELECT 1 FROM runs")


def test_a_deleted_catalog_is_rebuilt_from_the_log(workspace: Workspace) -> None:
    """A version that occurs twice in the history has two snapshots."""
    for n in (3, 4):
        publish_version(workspace, docs(range(n)))
    rollback(workspace, "my-docs")
    shutil.rmtree(workspace.root / "catalog")
    workspace.database.unlink()

    assert rebuild(workspace) == (3, [])

    with table_of(workspace) as table:
        assert len(table.snapshots()) == 3
        assert len(table.scan().to_arrow()) == 3
    assert len(publications.publications(workspace.versions / "my-docs")) == 3


def test_a_column_may_change_its_type(workspace: Workspace) -> None:
    """`metadata` was a map in format 1; workspaces with such versions can be published to and repaired."""
    old = publish_version(workspace, docs(range(5)), is_indexed=True, is_old=True)
    publish_version(workspace, docs(range(6)), is_indexed=True)
    new = publish_version(workspace, docs(range(7)), is_indexed=True)

    with table_of(workspace) as table:
        assert scanned(table) == rows(new)
        first = next(ref.snapshot_id for name, ref in table.refs().items() if name.startswith("v-1-"))
        assert scanned(table, snapshot_id=first) == [{**row, "metadata": None} for row in rows(old)]
    assert rebuild(workspace) == (3, [])


def test_a_version_that_is_indexed_needs_no_library(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the library takes half a second, which a run without changes should not need."""
    version = publish_version(workspace, docs(range(3)), is_indexed=True)

    def refuse(_: Workspace) -> None:
        raise AssertionError("the catalog was opened")

    monkeypatch.setattr("corpusmill.pipelines.dataset.catalog.open_catalog", refuse)

    assert index_version(workspace, version)
    assert not index_version(workspace, publish_version(workspace, docs(range(4)))), "this version is new"
