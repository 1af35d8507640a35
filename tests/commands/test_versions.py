import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.reports.report import make_report
from corpusmill.pipelines.workspace import Workspace
from tests.commands.conftest import Answer, Command
from tests.pipelines.dataset.corpora import Doc, docs, publish_version


def lines(answer: Answer) -> list[Any]:
    return [json.loads(line) for line in answer.out.splitlines()]


@pytest.fixture
def versions(workspace: Workspace) -> Sequence[Version]:
    rejected = docs([20], stage="quality", rule="gopher.word_count")
    broken = docs([21], stage="read", rule="error.encoding", is_measured=False)
    return [
        publish_version(workspace, [*docs(range(6)), *rejected]),
        publish_version(workspace, [*docs(range(1, 9)), *rejected, *broken], checks={"min_documents": 5}),
    ]


def test_versions_are_listed_newest_first(command: Command, versions: Sequence[Version]) -> None:
    """CONTRACTS §6 names the keys."""
    rows = lines(command("versions", "my-docs", "--json"))

    assert [row["version"] for row in rows] == [v.manifest.version for v in reversed(versions)]
    assert {"dataset", "version", "parent", "created_at", "documents", "bytes", "tags", "path"} <= rows[0].keys()
    shown = command("versions").out
    assert shown.splitlines()[1].startswith("*  my-docs  " + versions[1].manifest.version)


def test_no_versions_yet_is_no_error(command: Command) -> None:
    """Scripts may list versions before the first run."""
    answer = command("versions", "--json")

    assert (answer.code, answer.out) == (0, "")
    assert "corpusmill run RECIPE" in answer.err


def test_an_unknown_data_set_is_wrong_use(command: Command, versions: Sequence[Version]) -> None:
    """With the nearest name, on both streams."""
    answer = command("versions", "my-dosc", "--json")

    assert answer.code == 2
    assert lines(answer)[0]["error"]["hint"] == "did you mean `my-docs`?"
    assert "hint: did you mean `my-docs`?" in answer.err


def test_diff_has_output_for_programs_and_people(
    command: Command, workspace: Workspace, versions: Sequence[Version]
) -> None:
    """JSON and text have the same figures."""
    names = [f"my-docs@{version.manifest.version[:8]}" for version in versions]

    result = lines(command("diff", *names, "--json"))[0]
    shown = command("diff", *names, "--examples", 1).out

    assert {kind: result[kind] for kind in ("added", "removed", "changed", "unchanged")} == {
        **{"added": 3, "removed": 1, "changed": 0, "unchanged": 5},
    }
    assert "added  removed  changed  unchanged" in shown
    assert shown.count("added  ") == 2
    assert f"removed  {docs([0])[0].id}  Title 0" in shown
    assert "… and 2 more added documents; `--examples 3` shows all" in shown
    assert "more removed" not in shown
    assert "more added" not in command("diff", *names).out


def test_a_changed_text_is_shown_line_by_line(command: Command, workspace: Workspace) -> None:
    """Users can see the change without opening both versions."""
    publish_version(workspace, docs([1, 2]))
    one, other = docs([1, 2])
    publish_version(workspace, [one, replace(other, text="document 2 has been edited")])
    first = lines(command("versions", "--json"))[1]["version"]

    shown = command("diff", f"my-docs@{first}", "my-docs").out

    assert "    -document 2 has words of its own\n    +document 2 has been edited" in shown


def test_tags_are_added_used_and_removed(command: Command, versions: Sequence[Version]) -> None:
    """A tag is easier to remember than an id."""
    first = versions[0].manifest.version

    tagged = lines(command("tag", f"my-docs@{first}", "good", "--json"))[0]
    moved = command("tag", "my-docs", "good")
    listed = lines(command("versions", "--json"))
    removed = command("tag", "my-docs@good", "good", "--delete")

    assert tagged == {"status": "tagged", "dataset": "my-docs", "version": first, "tag": "good"}
    assert (moved.code, "with --force" in moved.err) == (2, True)
    assert [row["tags"] for row in listed] == [[], ["good"]]
    assert removed.code == 0
    assert command("inspect", "my-docs@good").code == 2


def test_rollback_is_seen_by_everything_that_asks_for_the_data_set(
    command: Command, versions: Sequence[Version]
) -> None:
    """The name of the data set then means the earlier version."""
    result = lines(command("rollback", "my-docs", "--json"))[0]

    assert (result["version"], result["previous"]) == tuple(version.manifest.version for version in versions)
    assert len(lines(command("inspect", "my-docs", "--json"))) == 6
    assert command("rollback", f"my-docs@{versions[1].manifest.version}").code == 0
    assert len(lines(command("inspect", "my-docs", "--json"))) == 8
    assert lines(command("rollback", "my-docs", versions[1].manifest.version, "--json"))[0]["status"] == "unchanged"
    assert command("rollback", "my-docs@good", "good").code == 2


def test_check_passes_fails_and_warns_by_exit_code(command: Command, versions: Sequence[Version]) -> None:
    """Other programs only read the exit code."""
    passed = command("check", "my-docs", "--json")
    failed = command("check", "my-docs", "--min-documents", 9, "--max-rejected", 0.1, "--json")

    assert (passed.code, lines(passed)[0]["status"]) == (0, "passed")
    assert " 8 of 10 records published, " in command("check", "my-docs").out
    assert "my-docs@" in command("check", "my-docs", "--min-documents", 9).err
    assert " fails 1 check: " in command("check", "my-docs", "--min-documents", 9).err
    assert lines(passed)[0]["checks"]["min_documents"] == 5
    assert failed.code == 3
    assert lines(failed)[0]["error"]["code"] == "checks"
    for name in ("max_rejected", "min_documents"):
        assert name in lines(failed)[0]["error"]["message"]
    assert command("check", "my-docs", "--strict").code == 4
    assert command("check", f"my-docs@{versions[0].manifest.version}", "--strict").code == 0


def test_check_finds_a_damaged_file_unless_it_is_to_be_fast(command: Command, versions: Sequence[Version]) -> None:
    """Exit code 1 says that a retry would not help."""
    path = versions[1].files("ledger")[0]
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    answer = command("check", "my-docs")

    assert (answer.code, str(path) in answer.err) == (1, True)
    assert command("check", "my-docs", "--fast").code == 0


def _report(version: Version) -> None:
    make_report(version.path)


def test_the_report_of_a_version_is_shown_where_it_lies(command: Command, versions: Sequence[Version]) -> None:
    """It was written at publication, so nothing is written now."""
    _report(versions[1])
    before = sorted(versions[1].path.iterdir())

    answer = command("report", "my-docs")
    result = lines(command("report", "my-docs", "--json"))[0]

    assert answer.out.rstrip().endswith(str(versions[1].path / "report.html"))
    assert "gopher.word_count" in answer.out
    assert "  size of shards " in answer.out
    assert re.search(r"^license +documents\n.+ 8\n", answer.out, re.MULTILINE)
    assert result["sizes"]["documents"] == 8
    assert sorted(versions[1].path.iterdir()) == before


def test_a_comparison_is_a_file_of_its_own(command: Command, versions: Sequence[Version], tmp_path: Path) -> None:
    """A published folder must not change."""
    before = sorted(versions[1].path.iterdir())
    one, other = (version.manifest.version[:8] for version in versions)

    here = command("report", "my-docs", "--compare", f"my-docs@{one}")
    named = command("report", "my-docs", "--compare", f"my-docs@{one}", "--out", tmp_path / "x.html", "--json")

    assert here.out.rstrip().endswith(f"my-docs-{other}-against-{one}.html")
    assert here.out.splitlines()[2].split() == [other, one, "difference"]
    assert any(line.startswith("Text ") and line.endswith(" B") for line in here.out.splitlines())
    assert any(line.startswith("CPU time ") and line.count(" s") == 3 for line in here.out.splitlines())
    assert (tmp_path / f"my-docs-{other}-against-{one}.html").is_file()
    assert lines(named)[0]["path"] == str(tmp_path / "x.html")
    assert sorted(versions[1].path.iterdir()) == before


def test_a_version_without_a_report_gets_one_outside(command: Command, versions: Sequence[Version]) -> None:
    """Versions from other tools may have no report."""
    answer = command("report", "my-docs")

    assert answer.code == 0
    assert Path(answer.out.rstrip().splitlines()[-1]).parent == Path.cwd()


def test_titles_with_odd_characters_are_shown_as_they_are(command: Command, workspace: Workspace) -> None:
    """Titles may contain any character."""
    first = publish_version(workspace, docs([1]))
    publish_version(workspace, [*docs([1]), Doc("new", "text", title='Üß "quoted" \\ <b>')])

    answer = command("diff", first.path, "my-docs")

    assert 'Üß "quoted" \\ <b>' in answer.out
