"""Commands can still read versions of format 1, in which `metadata` is a map."""

from __future__ import annotations

import json

import pytest

from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.workspace import Workspace
from corpusmill.training.data.shards import open_corpus
from tests.commands.conftest import Command
from tests.pipelines.dataset.corpora import docs, publish_version


@pytest.fixture
def old(workspace: Workspace) -> Version:
    version = publish_version(workspace, docs(range(20)), is_old=True)
    assert '"map<string, string>"' in (version.path / "manifest.json").read_text()
    return version


def test_inspect_shows_and_queries_metadata_as_before(command: Command, old: Version) -> None:
    """Scripts that read versions must not depend on their format."""
    answer = command("inspect", old.path, "--json", "--where", "metadata['kind'] = 'test' AND metadata['x'] IS NULL")

    assert answer.code == 0
    rows = [json.loads(line) for line in answer.out.splitlines()]
    assert len(rows) == 20
    assert all(row["metadata"] == {"kind": "test"} for row in rows)


def test_an_old_and_a_new_version_are_compared(command: Command, workspace: Workspace, old: Version) -> None:
    """Texts are compared, not types, so an upgrade shows no changes."""
    new = publish_version(workspace, docs(range(21)))

    result = json.loads(command("diff", old.path, new.path, "--json").out)

    assert new.manifest.version != old.manifest.version
    assert (new.manifest.format_version, old.manifest.format_version) == (2, 1)
    assert {kind: result[kind] for kind in ("added", "removed", "changed", "unchanged")} == {
        **{"added": 1, "removed": 0, "changed": 0, "unchanged": 20},
    }


@pytest.mark.parametrize("arguments", [("report",), ("check",)])
def test_reports_and_checks_read_it(command: Command, old: Version, arguments: tuple[str, ...]) -> None:
    """Column types are those in the manifest."""
    assert command(*arguments, old.path).code == 0


def test_explain_and_doctor_read_it(command: Command, old: Version) -> None:
    """Trails and checks of files do not depend on the format."""
    result = json.loads(command("explain", docs([3])[0].id, "--json").out)

    assert result["status"] == "published"
    assert command("doctor", "--verify").code == 0


def test_training_reads_it(old: Version) -> None:
    """The trainer reads only texts."""
    assert sum(shard.rows for shard in open_corpus(old.path).shards) == sum(
        file.rows for file in old.manifest.files if file.split == "train"
    )


@pytest.mark.parametrize("number", [0, 3])
def test_a_version_of_a_newer_corpusmill_is_refused_as_such(command: Command, old: Version, number: int) -> None:
    """It must not be reported as damaged."""
    path = old.path / "manifest.json"
    manifest = json.loads(path.read_text()) | {"format_version": number, "news": True}
    path.write_text(json.dumps(manifest))

    answer = command("inspect", old.path)

    assert answer.code == 1
    assert f"{number}, but this corpusmill reads formats up to 2: install a newer release" in answer.err
