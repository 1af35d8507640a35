"""Versions on a store are published, listed, read, compared and explained like in a folder."""

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
    """A workspace whose versions are on a store."""
    url = f"memory://{uuid.uuid4().hex}" if request.param == "memory" else request.getfixturevalue("s3_url")
    return Workspace(tmp_path / "far", url)


@pytest.fixture
def on_s3(s3_url: str, tmp_path: Path) -> Workspace:
    """A workspace on S3, whose server can simulate failures."""
    return Workspace(tmp_path / "far", s3_url)


def without_places(answer: Any) -> Any:
    """Return *answer* without the paths and URLs in it."""
    if isinstance(answer, dict):
        return {name: without_places(value) for name, value in answer.items() if name != "path"}
    return [without_places(item) for item in answer] if isinstance(answer, list) else answer


def test_a_version_on_a_store_is_that_in_a_folder(far: Workspace, workspace: Workspace) -> None:
    """Ids and results of queries are equal, by name and by URL, and no files are local."""
    near_versions = [publish_version(workspace, CAPTURES[:30]), publish_version(workspace, CAPTURES)]
    far_versions = [publish_version(far, CAPTURES[:30]), publish_version(far, CAPTURES)]

    local, remote = near_versions[1], far_versions[1]
    question = Question(where="source_id LIKE '1%'", limit=3)
    assert remote.name == local.name
    assert list(inspect(remote, question)) == list(inspect(local, question))
    assert without_places(diff(*far_versions)) == without_places(diff(*near_versions))
    for place in ("bad.md", "3.md", local.manifest.files[0].first_id, "nothing"):
        assert without_places(explain(str(place), far)) == without_places(explain(str(place), workspace))
    assert statistics(remote.store) == statistics(local.path)
    assert datasets(far) == ["my-docs"]
    for name in ("my-docs", remote.name, f"my-docs@{remote.manifest.version[:6]}"):
        assert open_version(name, far).address == f"{far.store.url}/versions/my-docs/{remote.manifest.version}"
    assert open_version(remote.address).manifest == remote.manifest
    assert not (far.root / "versions").exists()
    with pytest.raises(UsageError, match="is not on this machine"):
        remote.files("shard")


def test_history_tags_and_checks_work_on_a_store(far: Workspace) -> None:
    """The lock of the data set is also on the store."""
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
        f"{second.store.address(name)}: the SHA-256 differs"
    ]


def test_a_new_machine_can_repair_a_store(on_s3: Workspace, tmp_path: Path, s3_url: str) -> None:
    """Its local folder does not exist yet and is created for the catalog's database."""
    publish_version(on_s3, CAPTURES)
    other = Workspace(tmp_path / "other", s3_url)

    rows = repaired(other)

    assert [(row["name"], row["found"]) for row in rows] == [
        ("data set my-docs", "1 publications"),
        ("catalog", "rebuilt: 1 publications"),
    ]
    with contextlib.closing(open_catalog(other)) as catalog:
        assert catalog.load_table("corpusmill.my-docs").scan().to_arrow().num_rows == 40


def test_an_empty_store_needs_no_repair(on_s3: Workspace) -> None:
    """Nothing is created, neither locally nor on the store."""
    assert [row["found"] for row in repaired(on_s3)] == ["no workspace yet"]

    assert not on_s3.root.exists()
    assert on_s3.store.files() == []


def test_an_interrupted_publication_is_repeated(on_s3: Workspace, s3: Server) -> None:
    """A version without a manifest does not exist; the next run removes its files."""
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
    """A second workspace folder acts like a second machine."""
    version = publish_version(on_s3, CAPTURES)
    other = Workspace(tmp_path / "other", s3_url)

    with (
        on_s3.lock("dataset", "my-docs"),
        pytest.raises(UnfinishedError, match="the data set `my-docs` is in use by process"),
    ):
        history.tag(other, version, "good")


def ask(version: Version) -> list[dict[str, Any]]:
    """Return some documents by a condition."""
    return list(inspect(version, Question(where="source_id = '1.md'")))


def test_a_store_that_vanishes_while_a_version_is_read_is_unfinished(on_s3: Workspace, s3: Server) -> None:
    """The error must not be reported as an invalid query or a damaged file."""
    version = publish_version(on_s3, CAPTURES)
    s3.is_down = True

    for read in (ask, lambda version: list(version.documents()), lambda version: statistics(version.store)):
        with pytest.raises(UnfinishedError, match="cannot read"):
            read(version)


def test_an_object_that_cannot_be_read_is_named(on_s3: Workspace, s3: Server) -> None:
    """The error has the URL of a denied, missing or truncated object."""
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
    """Neither other objects nor local files can be read."""
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
    """A query for ids must not download the texts."""
    captures = [Doc(f"{n}.md", text=" ".join(uuid.uuid4().hex for _ in range(400))) for n in range(800)]
    version = publish_version(on_s3, captures)
    s3.requests.clear()

    with open_tables({"shards": (version, "shard")}) as connection:
        assert connection.execute("SELECT count(DISTINCT id) FROM shards").fetchall() == [(800,)]

    gets = [seen for seen in s3.requests if seen.method == "GET"]
    assert all(seen.range for seen in gets)
    assert sum(seen.sent for seen in gets) < sum(file.bytes for file in version.manifest.files) / 5


def test_a_report_of_a_version_on_a_store_needs_a_folder(far: Workspace, tmp_path: Path) -> None:
    """The report is written locally."""
    version = publish_version(far, CAPTURES)

    make_report(version.store, out=tmp_path)

    assert (tmp_path / "report.html").is_file()
    with pytest.raises(UsageError, match="into a version on a store"):
        make_report(version.store)
