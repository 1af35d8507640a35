"""The stage `deidentify`: texts, titles, dates and metadata of any source."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from corpusmill.pipelines.stages.deidentify.stage import Deidentify
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.metadata import metadata_dicts
from tests.pipelines.stages.captures import captures

FIELDS = {
    "patient_id": "P-100293",
    "patient_name": "Iker Qwertz",
    "dob": "1950-04-02",
    "specialty": "Cardiology",
    "age": "93",
}


def result(stage: Deidentify, **columns: Any) -> dict[str, Any]:
    """Return the row that *stage* makes of a row with *columns*."""
    row = captures(["qwertz (P-100293, born 4/2/50) was seen on March 3, 2020. Dose 5 mg."]).to_pylist()[0]
    metadata = [{"key": key, "value": value} for key, value in sorted(FIELDS.items())]
    row |= {"metadata": metadata, "published_at": datetime(2020, 3, 3, 9, tzinfo=UTC), "url": "https://a.example/1"}
    batch = pa.RecordBatch.from_pylist([row | columns], schema=CAPTURE)
    found = stage.build()(batch)
    return found.to_pylist()[0] | {"metadata": metadata_dicts(found["metadata"])[0]}


def test_metadata_fields_are_searched_for_in_the_text_and_removed() -> None:
    """A table of notes has the name beside the text."""
    row = result(Deidentify(keep=("specialty", "age")), title="Note on Mr. Qwertz")

    assert row["text"] == "<NAME> (<MRN>, born <DATE>) was seen on 2020. Dose 5 mg."
    assert row["title"] == "Note on Mr. <NAME>"
    assert row["metadata"] == {"age": "90 or older", "specialty": "Cardiology"}
    assert (row["url"], row["published_at"]) == (None, datetime(2020, 1, 1, tzinfo=UTC))
    assert (row["deidentify.name"], row["deidentify.mrn"], row["deidentify.date"], row["deidentify.ssn"]) == (
        2,
        1,
        2,
        0,
    )


def test_dates_of_a_patient_move_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text and column by the same days, in every document of the patient."""
    monkeypatch.setenv("CORPUSMILL_PSEUDONYM_KEY", "a key of sufficient length")
    stage = Deidentify(dates="shift", ids="pseudonym", patient="patient_id")

    one, two = result(stage, text="On 2020-03-03."), result(stage, text="On 2020-03-13.", source_id="9")

    days = [datetime.fromisoformat(row["text"][3:13]) for row in (one, two)]
    assert (days[1] - days[0]).days == 10
    assert one["published_at"].date() == days[0].date() != datetime(2020, 3, 3).date()
    assert one["metadata"] == two["metadata"]
    assert len(one["metadata"]["patient_id"]) == 12


def test_samples_are_masked_as_texts() -> None:
    """The ledger shows samples of texts that other stages rejected."""
    masked = Deidentify().mask_column(pa.array(["Mr. Qwertz", None]))

    assert masked.to_pylist() == ["Mr. <NAME>", None]
