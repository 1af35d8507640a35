"""Bulk exports of FHIR: the people and consents of notes stand in other files."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

import corpusmill
from corpusmill.crawlers.load import load
from corpusmill.crawlers.loaders.fhir import Fhir
from corpusmill.crawlers.loaders.medical import fhir_people
from corpusmill.crawlers.loaders.medical.fhir_companions import companions_of
from corpusmill.schemas.errors import SourceError
from tests.crawlers.loaders.fhir.test_fhir import PATIENT, WORDS, Json, observation
from tests.crawlers.loaders.reading import in_slices, rows
from tests.crawlers.test_load import source

CONSENT: Json = {
    "resourceType": "Consent",
    "status": "active",
    "patient": {"reference": "Patient/p2"},
    "provision": {"type": "deny"},
}
NOTE = "Seen: Qwertz, born 25 Dec 1974, MR-00123."


def patient(number: int, family: str) -> Json:
    return {"resourceType": "Patient", "id": f"p{number}", "name": [{"family": family}]}


def note(number: int, text: str) -> Json:
    return observation(text, id=f"o{number}", subject={"reference": f"Patient/p{number}"})


def write(path: Path, resources: Iterable[Json]) -> Path:
    """Write NDJSON, compressed if the name says so."""
    data = "".join(json.dumps(one) + "\n" for one in resources).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_notes_lose_the_names_that_stand_in_other_files(tmp_path: Path) -> None:
    """A denied consent holds there, too."""
    notes = write(tmp_path / "Observation.000.ndjson.gz", [note(1, NOTE), note(2, "Denied."), note(3, "Nobody.")])
    write(tmp_path / "Patient.000.ndjson.gz", [PATIENT, patient(2, "Denier")])
    write(tmp_path / "Consent.ndjson", [CONSENT])
    counts: Counter[str] = Counter()

    found = rows(Fhir(), notes)
    list(Fhir().read(str(notes), name="a", counts=counts))

    assert [row["text"] for row in found] == ["Seen: <NAME>, born <DATE>, <MRN>.", None, "Nobody."]
    assert [row["rule"] for row in found] == [None, "error.consent_denied", None]
    assert counts["note of a patient whose resource is not known"] == 1


def test_of_many_people_only_those_of_the_note_are_searched_for(tmp_path: Path) -> None:
    """In every slice alike: a family name can be a word that another note needs."""
    families = WORDS
    texts = [f"of the {families[number]} and the {families[number - 1]}" for number in range(60)]
    notes = write(tmp_path / "Observation.ndjson", [note(number, text) for number, text in enumerate(texts)])
    write(tmp_path / "Patient.ndjson", [patient(number, family) for number, family in enumerate(families)])
    size = notes.stat().st_size

    whole = rows(Fhir(), notes, start=0, end=size)

    assert [row["text"] for row in whole] == [f"of the <NAME> and the {families[number - 1]}" for number in range(60)]
    assert in_slices(Fhir(), notes, [0, size // 3, size // 3 + 1, size - 20, size]) == whole


def test_a_large_export_is_read_in_slices(tmp_path: Path) -> None:
    """So that several workers share a file. A Bundle is one JSON document; people between notes would be read often."""
    notes = write(
        tmp_path / "notes.ndjson", [note(number, "words") | {"padding": "x" * 300_000} for number in range(20)]
    )

    slices = Fhir().slices(str(notes))

    assert [start for start, _ in slices] == [0, 4 * 2**20]
    assert len({row["source_id"] for one in slices for row in rows(Fhir(), notes, start=one[0], end=one[1])}) == 20
    write(notes, [PATIENT, *(note(number, "words") | {"padding": "x" * 300_000} for number in range(20))])
    assert Fhir().slices(str(notes)) == [(0, -1)]
    (tmp_path / "bundle.json").write_text(json.dumps({"resourceType": "Bundle", "entry": []}, indent=1))
    assert Fhir().slices(str(tmp_path / "bundle.json")) == [(0, -1)]


@pytest.mark.parametrize(
    ("name", "is_companion"),
    [
        ("Patient.ndjson", True),
        ("patient-1.ndjson.gz", True),
        ("3.Patient.ndjson", True),
        ("export_RelatedPerson_0001.jsonl", True),
        ("MimicPatient.ndjson.gz", True),
        ("Consent2.ndjson.zst", True),
        ("Encounter.ndjson", False),
        ("InPatients.ndjson", False),
        ("Patient.json", False),
        ("PatientNotes.ndjson", False),
        ("Patient.ndjson.bak", False),
    ],
)
def test_companions_are_named_by_their_type(name: str, is_companion: bool, tmp_path: Path) -> None:
    """As servers, MIMIC-IV and pipelines write them."""
    notes = write(tmp_path / "DocumentReference.ndjson", [])
    companion = write(tmp_path / name, [])

    assert companions_of(str(notes), None) == ((str(companion),) if is_companion else ())
    assert companions_of(str(companion), None) == ()


def test_companions_stand_in_folders_named_by_type_or_where_the_recipe_says(tmp_path: Path) -> None:
    """Distributed systems write a folder for each type."""
    notes = write(tmp_path / "export" / "DocumentReference" / "part-0.ndjson", [])
    people = write(tmp_path / "export" / "Patient" / "part-0.ndjson", [])
    other = write(tmp_path / "people" / "all.json", [])

    assert companions_of(str(notes), None) == (str(people),)
    found = companions_of(str(notes), ("../../people/*.json", "../Patient/part*", "../*/part-0.ndjson"))
    assert found == tuple(sorted((str(people), str(other))))
    with pytest.raises(SourceError, match="no file beside the notes"):
        Fhir(people=("../Patients/*.ndjson",)).check(str(notes))


def test_notes_whose_consents_cannot_be_read_are_not_published(tmp_path: Path) -> None:
    """A denial could stand in the part that is missing."""
    notes = write(tmp_path / "Observation.ndjson", [note(2, "Denied.")])
    consents = write(tmp_path / "Consent.ndjson.gz", [CONSENT])
    consents.write_bytes(consents.read_bytes()[:-9])

    [row] = rows(Fhir(), notes)

    assert (row["rule"], row["text"]) == ("error.truncated", None)
    assert "the people of the notes are not known: Consent.ndjson.gz" in row["message"]


def test_more_people_than_memory_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the people whom the notes name count."""
    notes = write(tmp_path / "Observation.ndjson", [note(number, "words") for number in range(50)])
    write(tmp_path / "Patient.ndjson", [patient(number, "Somebody") for number in range(100)])
    monkeypatch.setattr(fhir_people, "MAX_PEOPLE", 50)
    assert len(rows(Fhir(), notes)) == 50
    monkeypatch.setattr(fhir_people, "MAX_PEOPLE", 49)

    [row] = rows(Fhir(), notes)

    assert row["rule"] == "error.too_large"
    assert "split the file" in row["message"]


def test_a_change_of_the_people_reads_the_notes_again(tmp_path: Path) -> None:
    """Their content is part of the address of the notes."""
    write(tmp_path / "Observation.ndjson", [note(1, "It was seen by the Window.")])
    recipe = tmp_path / "recipe.yaml"
    load_ = "{name: s, format: fhir, path: Observation.ndjson, license: CC0-1.0}"
    recipe.write_text(f"dataset: made\nsources:\n  - load: {load_}\nstages: []\n")
    texts = []
    for family in ("Otherwise", "Window"):
        write(tmp_path / "Patient.ndjson", [patient(1, family)])
        corpusmill.run(recipe, workspace=tmp_path / "corpus", workers=0)
        version = corpusmill.open_version("made", tmp_path / "corpus")
        texts += [text for batch in version.documents(columns=["text"]) for text in batch["text"].to_pylist()]

    assert texts == ["It was seen by the Window.", "It was seen by the <NAME>."]


def test_a_copy_that_would_lose_its_companions_is_refused(tmp_path: Path) -> None:
    """Beside the copy, the names of the patients would not be found."""
    write(tmp_path / "Observation.ndjson", [note(1, NOTE)])
    write(tmp_path / "Patient.ndjson", [PATIENT])

    with pytest.raises(SourceError, match=r"together with Patient\.ndjson"):
        load(source("Observation.ndjson", "fhir"), tmp_path / "raw", base=tmp_path, copy=True)
