"""Versions that lie on a store: published, listed, read, compared and explained there as in a folder."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import Any

import duckdb
import pytest

from corpusmill.pipelines.dataset import history, publications
from corpusmill.pipelines.dataset.catalog import open_catalog
from corpusmill.pipelines.dataset.diff import diff
from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.garbage import collect
from corpusmill.pipelines.dataset.health import repaired, verified
from corpusmill.pipelines.dataset.inspect import Question, inspect
from corpusmill.pipelines.dataset.publish import sweep
from corpusmill.pipelines.dataset.tables import open_tables
from corpusmill.pipelines.dataset.version import Version, datasets, open_version
from corpusmill.pipelines.reports.report import make_report
from corpusmill.pipelines.reports.statistics import statistics
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError, UnfinishedError, UsageError
from tests.pipelines.dataset.corpora import Doc, docs, publish_version
from tests.s3 import Server

CAPTURES = [*docs(range(40)), Doc("bad.md", stage="quality", rule="gopher.word_count", value=3, threshold=5)]


@pytest.fixture(params=["memory", "s3"])
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """A workspace whose versions lie on a store."""
    url = f"memory://{uuid.uuid4().hex}" if request.param == "memory" else request.getfixturevalue("s3_url")
    return Workspace(tmp_path / "far", url)


@pytest.fixture
def on_s3(s3_url: str, tmp_path: Path) -> Workspace:
    """The same on S3, where things go wrong."""
    return Workspace(tmp_path / "far", s3_url)


def without_places(told: Any) -> Any:
    """What is told, without the paths and URLs in it."""
    if isinstance(told, dict):
        return {name: without_places(value) for name, value in told.items() if name != "path"}
    return [without_places(value) for value in told] if isinstance(told, list) else told


def test_a_version_on_a_store_is_that_in_a_folder(far: Workspace, workspace: Workspace) -> None:
    """The same id and the same answers to every question, by name and by URL; nothing of it lies here."""
    near_versions = [publish_version(workspace, CAPTURES[:30]), publish_version(workspace, CAPTURES)]
    far_versions = [publish_version(far, CAPTURES[:30]), publish_version(far, CAPTURES)]

    near, there = near_versions[1], far_versions[1]
    question = Question(where="source_id LIKE '1%'", limit=3)
    assert there.name == near.name
    assert list(inspect(there, question)) == list(inspect(near, question))
    assert without_places(diff(*far_versions)) == without_places(diff(*near_versions))
    for place in ("bad.md", "3.md", near.manifest.files[0].first_id, "nothing"):
        assert without_places(explain(str(place), far)) == without_places(explain(str(place), workspace))
    assert statistics(there.store) == statistics(near.path)
    assert datasets(far) == ["my-docs"]
    for name in ("my-docs", there.name, f"my-docs@{there.manifest.version[:6]}"):
        assert open_version(name, far).address == f"{far.store.url}/versions/my-docs/{there.manifest.version}"
    assert open_version(there.address).manifest == there.manifest
    assert not (far.root / "versions").exists()
    with pytest.raises(UsageError, match="does not lie on this machine"):
        there.files("shard")


def test_history_tags_and_checks_work_on_a_store(far: Workspace) -> None:
    """Under the lock of the data set, which lies there too."""
    first, second = publish_version(far, CAPTURES[:30]), publish_version(far, CAPTURES)

    assert history.tag(far, first, "good")
    assert history.rollback(far, "my-docs", "good")[0].name == first.name
    assert [row["action"] for row in history.history(far)] == ["rollback", "publish", "publish"]
    assert open_version("my-docs", far).name == first.name
    assert {row["status"] for row in verified(far)} == {"ok"}
    assert collect(far, keep=None, dry_run=False)["tasks"] == 0
    far.store.remove("versions/my-docs/publications.jsonl")
    assert any("2 versions adopted" in row["found"] for row in repaired(far))
    name = second.manifest.files[0].path
    second.store.write(name, b"x" * second.store.size(name))
    assert [row["found"] for row in verified(far) if row["status"] == "damaged"] == [
        f"{second.store.address(name)}: another SHA-256"
    ]


def test_a_new_machine_can_repair_what_lies_on_the_store(on_s3: Workspace, tmp_path: Path, s3_url: str) -> None:
    """Its own folder is not there yet, and is made for the catalog's database."""
    publish_version(on_s3, CAPTURES)
    other = Workspace(tmp_path / "other", s3_url)

    rows = repaired(other)

    assert [(row["name"], row["found"]) for row in rows] == [
        ("data set my-docs", "1 publications"),
        ("catalog", "made again: 1 publications"),
    ]
    with contextlib.closing(open_catalog(other)) as catalog:
        assert catalog.load_table("corpusmill.my-docs").scan().to_arrow().num_rows == 40


def test_a_store_with_nothing_on_it_needs_no_repair(on_s3: Workspace) -> None:
    """Nothing is made, here or there."""
    assert [row["found"] for row in repaired(on_s3)] == ["no workspace yet"]

    assert not on_s3.root.exists()
    assert on_s3.store.files() == []


def test_a_publication_that_was_cut_off_is_made_again(on_s3: Workspace, s3: Server) -> None:
    """Without its manifest, a version is not there; the next run sweeps what lies under its name."""
    on_s3.make()
    s3.puts_until_down = 3
    with pytest.raises(UnfinishedError, match="cannot write"):
        publish_version(on_s3, CAPTURES)
    s3.heal()
    assert publications.version_ids(on_s3.dataset("my-docs")) == []

    version = publish_version(on_s3, CAPTURES)

    assert publications.current(on_s3.dataset("my-docs")) == version.manifest.version
    assert sweep(on_s3.dataset("my-docs")) == 0
    assert publish_version(on_s3, CAPTURES).name == version.name


def test_a_second_worker_on_a_data_set_is_refused(on_s3: Workspace, tmp_path: Path, s3_url: str) -> None:
    """From another workspace folder, as from another machine."""
    version = publish_version(on_s3, CAPTURES)
    other = Workspace(tmp_path / "other", s3_url)

    with (
        on_s3.lock("dataset", "my-docs"),
        pytest.raises(UnfinishedError, match="the data set `my-docs` is in use by process"),
    ):
        history.tag(other, version, "good")


def ask(version: Version) -> list[dict[str, Any]]:
    """Some documents, by a condition."""
    return list(inspect(version, Question(where="source_id = '1.md'")))


def test_a_store_that_vanishes_while_a_version_is_read_is_unfinished(on_s3: Workspace, s3: Server) -> None:
    """Not a wrong condition, and not a damaged file."""
    version = publish_version(on_s3, CAPTURES)
    s3.is_down = True

    for read in (ask, lambda version: list(version.documents()), lambda version: statistics(version.store)):
        with pytest.raises(UnfinishedError, match="cannot read"):
            read(version)


def test_an_object_that_cannot_be_read_is_named(on_s3: Workspace, s3: Server) -> None:
    """Denied, gone, or cut: by its URL."""
    version = publish_version(on_s3, CAPTURES)
    name = version.manifest.files[0].path
    s3.denied = name
    with pytest.raises(UnfinishedError, match="permission denied") as refused:
        ask(version)
    assert refused.value.file == version.store.address(name)
    s3.heal()

    version.store.remove(name)

    for read in (ask, lambda version: list(version.documents())):
        with pytest.raises(DamagedFileError):
            read(version)


def test_a_query_reaches_nothing_but_the_files_of_its_version(on_s3: Workspace, tmp_path: Path) -> None:
    """Neither another object, nor a file of this machine."""
    version = publish_version(on_s3, CAPTURES)
    on_s3.store.write("secret.parquet", b"x")
    (tmp_path / "secret.csv").write_text("x")

    with open_tables({"shards": (version, "shard")}) as connection:
        assert connection.execute("SELECT count(*) FROM shards").fetchall() == [(40,)]
        for place in (
            f"corpusmill://{on_s3.store.address('secret.parquet')}",
            on_s3.store.address("secret.parquet"),
            str(tmp_path / "secret.csv"),
        ):
            with pytest.raises(duckdb.Error, match="disabled by configuration"):
                connection.execute(f"SELECT * FROM read_text('{place}')")


def test_a_column_of_a_version_is_read_by_ranges(on_s3: Workspace, s3: Server) -> None:
    """A question about ids does not get the texts."""
    captures = [Doc(f"{n}.md", text=" ".join(uuid.uuid4().hex for _ in range(400))) for n in range(800)]
    version = publish_version(on_s3, captures)
    s3.requests.clear()

    with open_tables({"shards": (version, "shard")}) as connection:
        assert connection.execute("SELECT count(DISTINCT id) FROM shards").fetchall() == [(800,)]

    gets = [seen for seen in s3.requests if seen.method == "GET"]
    assert all(seen.range for seen in gets)
    assert sum(seen.sent for seen in gets) < sum(file.bytes for file in version.manifest.files) / 5


def test_a_report_of_a_version_on_a_store_needs_a_folder(far: Workspace, tmp_path: Path) -> None:
    """It is written here, not there."""
    version = publish_version(far, CAPTURES)

    make_report(version.store, out=tmp_path)

    assert (tmp_path / "report.html").is_file()
    with pytest.raises(UsageError, match="beside a version on a store"):
        make_report(version.store)
