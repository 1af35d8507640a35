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
    """A version that was published twice has two rows."""
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
    """An empty history is not an error."""
    assert history(workspace) == []


def test_the_history_covers_all_data_sets(workspace: Workspace) -> None:
    """Without a name, `versions` lists the whole workspace."""
    publish_version(workspace, docs(range(3)), dataset="one")
    publish_version(workspace, docs(range(3)), dataset="two")

    assert {row["dataset"] for row in history(workspace)} == {"one", "two"}
    with pytest.raises(UsageError, match="no data set 'three'"):
        history(workspace, "three")


def test_rolling_back_twice_is_two_steps_back(workspace: Workspace) -> None:
    """A second rollback goes further back, not forward again."""
    versions = [publish_version(workspace, docs(range(n))).manifest.version for n in (3, 4, 5)]

    targets = [rollback(workspace, "my-docs")[0].manifest.version for _ in range(2)]

    assert targets == [versions[1], versions[0]]
    assert open_version("my-docs", workspace).manifest.version == versions[0]
    with pytest.raises(UsageError, match="no version before it"):
        rollback(workspace, "my-docs")


def test_rollback_accepts_a_tag_or_an_id_and_is_recorded(workspace: Workspace) -> None:
    """The history shows the rollback and the version before it."""
    first = publish_version(workspace, docs(range(3)))
    second = publish_version(workspace, docs(range(4)))
    tag(workspace, first, "good")

    by_tag = rollback(workspace, "my-docs", "good")
    by_id = rollback(workspace, "my-docs", second.manifest.version[:6])
    again = rollback(workspace, "my-docs", second.manifest.version)

    assert (by_tag[0].path, by_id[0].path, again[0].path) == (first.path, second.path, second.path)
    assert [row["action"] for row in history(workspace)] == ["rollback", "rollback", "publish", "publish"]


def test_tags_move_only_by_force(workspace: Workspace) -> None:
    """Others may rely on a tag, so it must not move by accident."""
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
def test_an_invalid_tag_is_refused(workspace: Workspace, name: str) -> None:
    """A tag is part of version names and must not look like an id."""
    version = publish_version(workspace, docs(range(3)))

    with pytest.raises(UsageError, match="not a valid tag"):
        tag(workspace, version, name)


def test_only_versions_of_the_workspace_get_tags(workspace: Workspace, tmp_path: object) -> None:
    """The tags of a data set are stored beside its versions."""
    version = publish_version(workspace, docs(range(3)))
    other = Workspace(workspace.root.parent / "other")

    with pytest.raises(UsageError, match="is not in the workspace"):
        tag(other, version, "good")


def test_a_data_set_in_use_cannot_be_changed(workspace: Workspace) -> None:
    """A run reads the history when it publishes, so it must not change."""
    version = publish_version(workspace, docs(range(3)))

    with workspace.lock("dataset", "my-docs"):
        with pytest.raises(UnfinishedError):
            tag(workspace, version, "good")
        with pytest.raises(UnfinishedError):
            rollback(workspace, "my-docs")


def test_a_torn_log_loses_no_version(workspace: Workspace) -> None:
    """A crash may truncate the last line, but its version exists."""
    first = publish_version(workspace, docs(range(3)), at=datetime(2026, 1, 1, tzinfo=UTC))
    second = publish_version(workspace, docs(range(4)), at=datetime(2026, 1, 2, tzinfo=UTC))
    log = workspace.versions / "my-docs" / publications.LOG
    log.write_text(log.read_text()[:-20])

    assert _ids(publications.publications(log.parent)) == [first.manifest.version, second.manifest.version]
    assert publications.adopt(log.parent) == 1
    assert publications.adopt(log.parent) == 0
    assert log.read_text().splitlines()[-1].startswith('{"action": "publish"')
