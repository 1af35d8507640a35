from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.dataset import open_version
from corpusmill.pipelines.dataset.history import tag
from corpusmill.pipelines.dataset.version import Version, id_range
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError, UsageError
from tests.pipelines.dataset.corpora import Doc, docs, publish_version


def test_a_version_is_found_by_all_its_names(workspace: Workspace) -> None:
    """Every command accepts the same five forms of a name."""
    first = publish_version(workspace, docs(range(4)))
    second = publish_version(workspace, docs(range(5)))
    tag(workspace, first, "good")
    name = first.manifest.version

    opened = [
        open_version(text, workspace)
        for text in (f"my-docs@{name}", f"my-docs@{name[:5]}", "my-docs@good", str(first.path), "my-docs")
    ]

    assert [version.path for version in opened] == [first.path] * 4 + [second.path]


def test_a_folder_needs_no_workspace(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version can be copied anywhere and used there."""
    version = publish_version(workspace, docs(range(4)))
    version.path.rename(tmp_path / "copied")
    monkeypatch.chdir(tmp_path)

    assert open_version("copied", "nowhere").manifest == version.manifest
    assert open_version(tmp_path / "copied").manifest == version.manifest


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("my-dosc", "did you mean `my-docs`?"),
        ("something", "data sets: my-docs"),
        ("my-docs@goood", "did you mean `my-docs@good`?"),
        ("my-docs@ffff", "list them with"),
        ("./nowhere", "list versions with"),
        ("..", "list versions with"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(workspace: Workspace, name: str, hint: str) -> None:
    """Most wrong names are typos."""
    tag(workspace, publish_version(workspace, docs(range(4))), "good")

    with pytest.raises(UsageError) as error:
        open_version(name, workspace)

    assert hint in str(error.value.hint)


def test_a_beginning_that_two_versions_share_is_refused(workspace: Workspace) -> None:
    """Guessing between two versions could select the wrong one."""
    folder = publish_version(workspace, docs(range(4))).path
    for name in ("abcd000000000000", "abcd111111111111"):
        folder.parent.joinpath(name).mkdir()
        (folder.parent / name / "manifest.json").write_bytes((folder / "manifest.json").read_bytes())

    with pytest.raises(UsageError, match="2 versions of my-docs begin with 'abcd'"):
        open_version("my-docs@abcd", workspace)


def test_a_manifest_cannot_lead_out_of_its_folder(workspace: Workspace) -> None:
    """A version may come from an untrusted source."""
    version = publish_version(workspace, docs(range(4)))
    text = (version.path / "manifest.json").read_text()
    (version.path / "manifest.json").write_text(text.replace('"path": "train-', '"path": "../train-'))

    with pytest.raises(DamagedFileError, match="outside of its folder"):
        open_version(version.path).files("shard")


def test_a_missing_file_is_named(workspace: Workspace) -> None:
    """The user must know which file to restore."""
    version = publish_version(workspace, docs(range(4)))
    version.files("ledger")[1].unlink()

    with pytest.raises(DamagedFileError, match=r"ledger-00001-of-00004\.parquet: the file is missing"):
        version.files("ledger")


def _all(version: Version, kind: str) -> list[str]:
    return [row["id"] for path in version.files(kind) for row in pa.parquet.read_table(path).to_pylist()]


def test_rows_are_found_in_the_file_that_has_them(workspace: Workspace) -> None:
    """Only files with the right range of ids are opened, and none of them may be missed."""
    captures = [*docs(range(30)), *docs(range(30, 60), stage="quality", rule="gopher.word_count")]
    version = publish_version(workspace, captures)

    for capture in captures:
        shards = version.rows("shard", capture.id)
        ledger = version.rows("ledger", capture.id)
        assert (shards.num_rows, ledger.num_rows) == ((1, 0) if capture.rule is None else (0, 1))
        assert version.rows("signals", capture.id).num_rows == version.rows("origin", capture.id).num_rows == 1
    assert len(version._files_between("ledger", captures[0].id, captures[0].id)) == 3


@given(digits=st.text("0123456789abcdef", min_size=1, max_size=32), rest=st.text("0123456789abcdef", max_size=32))
def test_the_range_of_a_prefix_covers_all_ids_with_it(digits: str, rest: str) -> None:
    """The range makes a search by a prefix as fast as one by an id."""
    low, high = id_range(digits)
    document = (digits + rest).ljust(32, "7")[:32]

    assert low <= document <= high
    assert low.startswith(digits)
    assert high.startswith(digits)


def test_documents_have_file_order_and_can_be_selected(workspace: Workspace) -> None:
    """All commands that show documents use this function."""
    version = publish_version(workspace, docs(range(30)))
    ids = sorted(document.id for document in docs(range(5)))

    everything = [row for batch in version.documents() for row in batch.to_pylist()]
    some = [row for batch in version.documents(ids=pa.array(ids), columns=["id"]) for row in batch.to_pylist()]
    train = [row for batch in version.documents(split="train", columns=["id", "split"]) for row in batch.to_pylist()]

    assert [row["id"] for row in everything] == _all(version, "shard")
    assert sorted(row["id"] for row in some) == ids
    assert {row["split"] for row in train} == {"train"}


def test_only_shards_that_may_hold_the_ids_are_opened(workspace: Workspace) -> None:
    """A search for a few documents in a thousand shards must not read a thousand footers."""
    version = publish_version(workspace, docs(range(30)))
    first, *others = sorted(version.manifest.files, key=lambda shard: str(shard.first_id))
    for shard in others:
        (version.path / shard.path).unlink()
        (version.path / shard.path).write_bytes(b"PAR1 this is no Parquet file PAR1")
    ids = pa.array([first.first_id])

    assert [batch["id"].to_pylist() for batch in version.documents(ids=ids, columns=["id"])] == [[first.first_id]]
    with pytest.raises(DamagedFileError, match="cannot be read"):
        list(version.documents(columns=["id"]))


def test_all_rows_of_a_table_are_read_in_file_order(workspace: Workspace) -> None:
    """Whole tables may be larger than the memory."""
    version = publish_version(workspace, docs(range(30)))

    rows = [row for batch in version.batches("origin", columns=["id"]) for row in batch.to_pylist()]

    assert rows == [{"id": document} for document in _all(version, "origin")]
    assert list(version.batches("signals_of_nothing")) == []


def test_a_version_without_documents_can_be_read(workspace: Workspace) -> None:
    """A recipe may reject everything, which users need to inspect."""
    version = publish_version(workspace, [Doc("a", stage="quality", rule="gopher.word_count")])

    assert list(version.documents(columns=["id"])) == []
    assert version.rows("shard", Doc("a").id).num_rows == 0
    assert version.rows("ledger", Doc("a").id).num_rows == 1
