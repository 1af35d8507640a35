"""Clinical notes in a CSV file, from the file to a published version."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import corpusmill
from corpusmill.pipelines.api import run_recipe
from corpusmill.pipelines.dataset.version import version_in
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.metadata import metadata_dicts

NOTES = """\
note_id,patient_id,patient_name,dob,specialty,note
n1,P-77,"Qwertz, Iker",1950-04-02,Cardiology,"Iker was admitted on 2020-03-03 (born 4/2/1950).
He called from 415-555-0137, dose 5 mg."
n2,P-77,"Qwertz, Iker",1950-04-02,Cardiology,"Mr. Qwertz, P-77, went home on 2020-03-13."
n3,P-78,"Zubiri, Ane",1961-01-09,Surgery,"Ane Zubiri: BP 120/80 on 2020-03-03."
n4,P-79,"Broken",1961-01-09
"""
RECIPE = """\
dataset: notes
sources:
  - load: {name: notes, format: csv, path: notes.csv, text_field: note, id_field: note_id, license: CC0-1.0}
stages:
  - deidentify: {dates: shift, ids: pseudonym, patient: patient_id, keep: [specialty]}
"""


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the published rows by id and the result of the run."""
    monkeypatch.setenv("CORPUSMILL_PSEUDONYM_KEY", "a key of sufficient length")
    (tmp_path / "notes.csv").write_text(NOTES)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    result = run_recipe(
        tmp_path / "recipe.yaml",
        workspace=Workspace(tmp_path / "corpus"),
        acquisition=corpusmill.acquisition(),
        workers=0,
    )
    rows = {}
    for batch in version_in(Path(result["path"])).documents():
        for row, metadata in zip(batch.to_pylist(), metadata_dicts(batch["metadata"]), strict=True):
            rows[row["source_id"]] = row | {"metadata": metadata}
    return rows, result


def days(text: str) -> list[date]:
    return [date.fromisoformat(found) for found in re.findall(r"\d{4}-\d\d-\d\d", text)]


def test_notes_of_a_table_are_published_without_identifiers(
    published: tuple[dict[str, dict[str, Any]], dict[str, Any]],
) -> None:
    """The columns beside the text say who is in it; a short row is in the ledger, not lost."""
    rows, result = published

    assert sorted(rows) == ["n1", "n2", "n3"]
    everything = "\n".join(f"{row['text']} {row['title']} {row['metadata']}" for row in rows.values())
    assert not re.search(r"Iker|Qwertz|Ane|Zubiri|P-7|555|1950|1961|2020-03-03|2020-03-13", everything)
    assert "dose 5 mg" in rows["n1"]["text"]
    assert "BP 120/80" in rows["n3"]["text"]
    assert rows["n1"]["metadata"].keys() == {"patient_id", "specialty"}
    ledger = [row for batch in version_in(Path(result["path"])).batches("ledger") for row in batch.to_pylist()]
    assert [(row["source_id"], row["rule"]) for row in ledger] == [("n4", "error.no_text")]
    assert result["counts"] == {"read": 4, "published": 3, "ledger": 1}


def test_dates_of_one_patient_keep_their_distance(
    published: tuple[dict[str, dict[str, Any]], dict[str, Any]],
) -> None:
    """The column with the id of the patient decides; other patients move by other days."""
    rows, _ = published

    (one,), (two,), (other,) = (days(rows[name]["text"]) for name in ("n1", "n2", "n3"))
    assert (two - one).days == 10
    assert other != one
    assert rows["n1"]["metadata"]["patient_id"] == rows["n2"]["metadata"]["patient_id"]
    assert rows["n1"]["metadata"]["patient_id"] != rows["n3"]["metadata"]["patient_id"]
