from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.dataset import diff as module
from corpusmill.pipelines.dataset.diff import changes, diff
from corpusmill.pipelines.workspace import Workspace
from tests.pipelines.dataset.corpora import Doc, docs, publish_version

KINDS = ("added", "removed", "changed", "unchanged")


def test_a_version_does_not_differ_from_itself(workspace: Workspace) -> None:
    """Equal versions have no differences."""
    version = publish_version(workspace, docs(range(10)))

    result = diff(version, version)

    assert [result[kind] for kind in KINDS] == [0, 0, 0, 10]
    assert result["by_source"] == {"docs": {"added": 0, "removed": 0, "changed": 0, "unchanged": 10}}
    assert result["by_rule"] == {}
    assert result["examples"] == {"added": [], "removed": [], "changed": []}


def test_added_removed_and_changed_documents_have_reasons(workspace: Workspace) -> None:
    """A curator needs the counts, examples and rules."""
    same = docs(range(10))
    stays, edited, dropped, gone = docs([20, 21, 22, 23])
    new = Doc("new", "a new document of another source", source="more", title="New", url="https://example.org/new")
    was_rejected = docs([30], stage="quality", rule="gopher.word_count")[0]
    removed = replace(dropped, stage="near_dedup", rule="near_dedup.duplicate", value=0.9, duplicate_of=stays.id)
    changed = replace(edited, text="document 21 has other words\nand a second line")
    old_version = publish_version(workspace, [*same, stays, edited, dropped, gone, was_rejected])
    new_version = publish_version(
        workspace, [*same, stays, changed, removed, new, replace(was_rejected, rule=None, stage=None)]
    )

    result = diff(old_version, new_version)

    assert [result[kind] for kind in KINDS] == [2, 2, 1, 11]
    assert result["by_source"] == {
        "docs": {"added": 1, "removed": 2, "changed": 1, "unchanged": 11},
        "more": {"added": 1, "removed": 0, "changed": 0, "unchanged": 0},
    }
    assert result["by_rule"] == {
        "absent": {"removed": 1, "added": 1},
        "gopher.word_count": {"removed": 0, "added": 1},
        "near_dedup.duplicate": {"removed": 1, "added": 0},
    }
    by_id = {row["id"]: row for kind in ("added", "removed", "changed") for row in result["examples"][kind]}
    assert by_id[dropped.id]["rule"] == "near_dedup.duplicate"
    assert by_id[dropped.id]["duplicate_of"] == stays.id
    assert by_id[gone.id]["rule"] is None
    assert by_id[new.id]["url"] == "https://example.org/new"
    assert by_id[changed.id]["changes"] == [
        "@@ -1 +1,2 @@",
        f"-{edited.text}",
        "+document 21 has other words",
        "+and a second line",
    ]


def test_examples_are_those_with_the_smallest_ids(workspace: Workspace) -> None:
    """Repeated comparisons show the same examples, in the requested number."""
    old, new = publish_version(workspace, docs(range(10))), publish_version(workspace, docs(range(5, 30)))

    result = diff(old, new, examples=4)

    assert [row["id"] for row in result["examples"]["added"]] == sorted(d.id for d in docs(range(10, 30)))[:4]
    assert [row["id"] for row in result["examples"]["removed"]] == sorted(d.id for d in docs(range(5)))[:4]
    assert diff(old, new, examples=0)["examples"] == {"added": [], "removed": [], "changed": []}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    one=st.dictionaries(st.integers(0, 40), st.sampled_from(["first text", "second text"])),
    other=st.dictionaries(st.integers(0, 40), st.sampled_from(["first text", "second text"])),
)
def test_diff_counts_as_sets_do(
    one: dict[int, str], other: dict[int, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The counts do not depend on the distribution of documents over shards."""
    workspace = Workspace(tmp_path_factory.mktemp("diff"))
    old, new = (
        publish_version(workspace, [Doc(str(name), text) for name, text in texts.items()]) for texts in (one, other)
    )

    result = diff(old, new)

    assert result["added"] == len(other.keys() - one.keys())
    assert result["removed"] == len(one.keys() - other.keys())
    assert result["changed"] == sum(one[name] != other[name] for name in one.keys() & other.keys())
    assert result["unchanged"] == sum(one[name] == other[name] for name in one.keys() & other.keys())


def test_a_long_difference_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples only give an impression."""
    monkeypatch.setattr(module, "MAX_DIFF_LINES", 3)

    lines = changes("a\nb\nc", "d\ne\nf" + "x" * 400)

    assert lines == ["@@ -1,3 +1,3 @@", "-a", "-b", "… 4 more lines"]


def test_diff_reads_a_moved_version(workspace: Workspace) -> None:
    """A comparison needs only the folders, not the catalog."""
    version = publish_version(workspace, docs(range(10)))
    moved = version.path.rename(workspace.root / "it's moved")

    result = diff(module.Version(moved, version.manifest), module.Version(moved, version.manifest))

    assert result["unchanged"] == 10
