"""A command line that cannot work: what is expected, what was written, and the right form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corpusmill.command import main


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("run r.yaml --workers two", "`--workers`: expected a whole number of at least 0, got `two`", "`--workers 1`"),
        ("run r.yaml --workers -1", "`--workers`: expected a whole number of at least 0, got `-1`", "`--workers 1`"),
        ("run r.yaml --json --limit 0", "`--limit`: expected a whole number of at least 1, got `0`", "`--limit 1`"),
        ("run r.yaml --memory 3x", "`--memory`: not a size", "`--memory 2GB`"),
        ("run r.yaml --memory 2gb", "got `2gb`", "`--memory 2GB`"),
        ("run r.yaml --engine lcoal", "unknown engine 'lcoal'", "did you mean `local`?; engines: local"),
        ("run r.yaml --store s33://bucket", "unknown protocol s33://", "did you mean `s3://`?"),
        ("run r.yaml --store s3//bucket", "(`:` is missing)", "`s3://bucket/prefix`"),
        ("run r.yaml --wrokers 3", "unknown option `--wrokers`", "did you mean `--workers`?"),
        ("run --json r.yaml --workers", "`--workers` has no value", "`--workers VALUE`"),
        ("run r.yaml --accept=yes", "`--accept` takes no value", "write `--accept` alone"),
        ("run r.yaml --workspace r.yaml", "`--workspace`: `r.yaml` is a file", "name a folder"),
        ("run", "Missing argument 'RECIPE'", "`corpusmill run --help`"),
        ("load r.yaml --source note", "called 'note'", "did you mean `notes`?"),
        ("check d --max-rejected 3", "`--max-rejected`: expected a number from 0 to 1, got `3.0`", "0.5`"),
        ("extract --format txt", "`--format`: `txt` is not allowed", "did you mean `text`?; allowed: text,"),
        ("extract --keep tabels", "`--keep`: not an allowed value, got `tabels`", "did you mean `tables`?"),
        ("init --from nowhere", "`--from`: `nowhere` does not exist", "check the path"),
        ("init --from https://example.org/", "does not exist", "`corpusmill init FOLDER --template site`"),
        ("--foo", "No such option", "`corpusmill --help`"),
    ],
)
def test_a_wrong_option_is_answered_with_its_form(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    message: str,
    hint: str,
) -> None:
    """`'two' is not a valid integer range` sends the reader to the documentation."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("one")
    source = "load: {name: notes, format: text, path: notes.txt}"
    (tmp_path / "r.yaml").write_text(f"dataset: d\nsources:\n  - {source}\n")

    with pytest.raises(SystemExit) as ended:
        main(arguments.split())

    error = capsys.readouterr()
    assert ended.value.code == 2
    shown_error, _, shown_hint = error.err.partition("\n\nhint: ")
    assert message in shown_error
    assert hint in shown_hint
    if "--json" in arguments:
        assert json.loads(error.out)["error"]["hint"] == shown_hint.strip()
