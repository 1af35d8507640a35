import json
from datetime import UTC, datetime

import pytest

from corpusmill.pipelines.dataset import open_version, publications
from corpusmill.pipelines.dataset.history import history, remove_tag, rollback, tag
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UnfinishedError, UsageError
from tests.pipelines.dataset.corpora import docs, publish_version


def _ids(rows: list[dict[str, object]]) -> list[object]:
    return [row["version"] for row in rows]


def test_history_has_one_row_for_each_publication_newest_first(workspace: Workspace) -> None:
    """A version that came twice stands twice: that is what happened."""
    first = publish_version(workspace, docs(range(3))).manifest.version
    second = publish_version(workspace, docs(range(4))).manifest.version
    publish_version(workspace, docs(range(3)))

    rows = history(workspace, "my-docs")

    assert _ids(rows) == [first, second, first]
    assert [row["parent"] for row in rows] == [second, first, None]
    assert [row["current"] for row in rows] == [True, False, False]
    assert [row["documents"] for row in rows] == [3, 4, 3]
    assert json.loads(json.dumps(rows)) == rows


def test_an_empty_workspace_has_no_history(workspace: Workspace) -> None:
    """Nothing published yet is no error."""
    assert history(workspace) == []


def test_all_data_sets_are_told_together(workspace: Workspace) -> None:
    """Without a name, `versions` answers for the workspace."""
    publish_version(workspace, docs(range(3)), dataset="one")
    publish_version(workspace, docs(range(3)), dataset="two")

    assert {row["dataset"] for row in history(workspace)} == {"one", "two"}
    with pytest.raises(UsageError, match="no data set 'three'"):
        history(workspace, "three")


def test_rolling_back_twice_is_two_steps_back(workspace: Workspace) -> None:
    """The step after a rollback leads further back, not forward to what was left."""
    versions = [publish_version(workspace, docs(range(n))).manifest.version for n in (3, 4, 5)]

    targets = [rollback(workspace, "my-docs")[0].manifest.version for _ in range(2)]

    assert targets == [versions[1], versions[0]]
    assert open_version("my-docs", workspace).manifest.version == versions[0]
    with pytest.raises(UsageError, match="no version before it"):
        rollback(workspace, "my-docs")


def test_rollback_takes_a_tag_or_an_id_and_writes_it_down(workspace: Workspace) -> None:
    """Who looks at the history later sees who went back, and from where."""
    first = publish_version(workspace, docs(range(3)))
    second = publish_version(workspace, docs(range(4)))
    tag(workspace, first, "good")

    by_tag = rollback(workspace, "my-docs", "good")
    by_id = rollback(workspace, "my-docs", second.manifest.version[:6])
    again = rollback(workspace, "my-docs", second.manifest.version)

    assert (by_tag[0].path, by_id[0].path, again[0].path) == (first.path, second.path, second.path)
    assert [row["action"] for row in history(workspace)] == ["rollback", "rollback", "publish", "publish"]


def test_tags_move_only_by_force(workspace: Workspace) -> None:
    """A name that others rely on does not change by accident."""
    first, second = (publish_version(workspace, docs(range(n))) for n in (3, 4))

    assert tag(workspace, first, "good")
    assert not tag(workspace, first, "good")
    with pytest.raises(UsageError, match="names my-docs@"):
        tag(workspace, second, "good")
    assert tag(workspace, second, "good", force=True)
    assert [row["tags"] for row in history(workspace)] == [["good"], []]
    with pytest.raises(UsageError, match="has no tag 'good'"):
        remove_tag(workspace, first, "good")
    remove_tag(workspace, second, "good")
    assert publications.tags(workspace.versions / "my-docs") == {}


@pytest.mark.parametrize("name", ["0123456789abcdef", "a b", "", "../x", "-x", "x" * 65])
def test_a_tag_cannot_be_taken_for_something_else(workspace: Workspace, name: str) -> None:
    """It stands in names of versions, and must not look like an id."""
    version = publish_version(workspace, docs(range(3)))

    with pytest.raises(UsageError, match="no name for a tag"):
        tag(workspace, version, name)


def test_only_versions_of_the_workspace_get_tags(workspace: Workspace, tmp_path: object) -> None:
    """The tags of a data set lie beside its versions."""
    version = publish_version(workspace, docs(range(3)))
    other = Workspace(workspace.root.parent / "other")

    with pytest.raises(UsageError, match="does not lie in the workspace"):
        tag(other, version, "good")


def test_who_works_on_a_data_set_is_not_disturbed(workspace: Workspace) -> None:
    """A run reads the history when it publishes."""
    version = publish_version(workspace, docs(range(3)))

    with workspace.lock("dataset", "my-docs"):
        with pytest.raises(UnfinishedError):
            tag(workspace, version, "good")
        with pytest.raises(UnfinishedError):
            rollback(workspace, "my-docs")


def test_a_torn_log_loses_no_version(workspace: Workspace) -> None:
    """A crash may cut the last line; the version it named is there all the same."""
    first = publish_version(workspace, docs(range(3)), at=datetime(2026, 1, 1, tzinfo=UTC))
    second = publish_version(workspace, docs(range(4)), at=datetime(2026, 1, 2, tzinfo=UTC))
    log = workspace.versions / "my-docs" / publications.LOG
    log.write_text(log.read_text()[:-20])

    assert _ids(publications.publications(log.parent)) == [first.manifest.version, second.manifest.version]
    assert publications.adopt(log.parent) == 1
    assert publications.adopt(log.parent) == 0
    assert log.read_text().splitlines()[-1].startswith('{"action": "publish"')
