"""FHIR: which resources are documents, what their text is, and that nobody is in it."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from corpusmill.crawlers.loaders.fhir import Fhir
from tests.crawlers.loaders.reading import Row, rows

Json = dict[str, Any]
PATIENT: Json = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"family": "Qwertz", "given": ["Zorba"]}],
    "birthDate": "1974-12-25",
    "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "MR-00123"}],
    "telecom": [{"system": "phone", "value": "(03) 5555 6473"}],
    "address": [{"line": ["534 Erewhon"], "city": "Pleasantville", "postalCode": "39990"}],
    "text": {"status": "generated", "div": "<div>Zorba Qwertz</div>"},
}
SUBJECT: Json = {"reference": "Patient/p1"}


def observation(note: str, **fields: Any) -> Json:
    """Return an Observation with a note."""
    base = {"resourceType": "Observation", "id": "o1", "subject": SUBJECT, "note": [{"text": note}]}
    return base | fields


def bundle(*resources: Json) -> Json:
    """Return a Bundle of *resources*."""
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


def read(tmp_path: Path, data: Any, *, loader: Fhir | None = None) -> list[Row]:
    """Return the records of a file with *data*: bytes, or JSON."""
    path = tmp_path / "a.json"
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data, indent=1).encode())
    return rows(loader or Fhir(), path, name="a.json")


def test_notes_lose_what_the_patient_resource_says(tmp_path: Path) -> None:
    """The patient may stand after the note."""
    text = "qwertz (MR-00123, born 25 Dec 1974) of Pleasantville, 0355556473, took 5 mg on 2012-02-03."

    [row] = read(tmp_path, bundle(observation(text, effectiveDateTime="2012-02-03"), PATIENT))

    assert row["text"] == "<NAME> (<MRN>, born <DATE>) of <PLACE>, <PHONE>, took 5 mg on 2012."
    assert (row["source_id"], row["published_at"].year, row["published_at"].month) == ("o1", 2012, 1)


def test_coded_values_narrative_and_attachments_are_text(tmp_path: Path) -> None:
    """Each kind of text once."""
    lab = observation(
        "fasting",
        code={"text": "sugar", "coding": [{"display": "Glucose"}]},
        valueQuantity={"value": 6.3, "unit": "mmol/l"},
        text={"status": "additional", "div": "<div><p>Looks <b>fine</b>.</p></div>"},
        component=[{"code": {"text": "Systolic"}, "valueQuantity": {"value": 120, "unit": "mmHg"}}],
    )
    data = base64.b64encode("<p>Pâle skin</p>".encode()).decode()
    document = {
        "resourceType": "DocumentReference",
        "id": "d",
        "content": [{"attachment": {"contentType": "text/html; charset=utf-8", "data": data}}],
    }
    section = {
        "title": "Plan",
        "text": {"div": "<div>Rest.</div>"},
        "section": [{"title": "Diet", "text": {"div": "<div>Soup.</div>"}}],
    }
    composition = {"resourceType": "Composition", "id": "c", "title": "Consult", "section": [section]}

    found = read(tmp_path, bundle(lab, document, composition))

    assert [row["text"] for row in found] == [
        "Looks fine.\nsugar (Glucose): 6.3 mmol/l\nfasting\nSystolic: 120 mmHg",
        "Pâle skin",
        "Consult\nPlan\nRest.\nDiet\nSoup.",
    ]
    assert found[0]["title"] == "sugar (Glucose)"


@pytest.mark.parametrize("form", ["ndjson", "array", "bundle on a line", "bundles on lines", "single lines"])
def test_every_form_of_file_gives_the_same_notes(tmp_path: Path, form: str) -> None:
    """Bulk exports have a resource on each line; servers send Bundles."""
    one, two = observation("first"), observation("second", id="o2")
    forms = {
        "ndjson": "\n".join(map(json.dumps, (one, PATIENT, two))),
        "array": json.dumps([one, two, PATIENT]),
        "bundle on a line": json.dumps(bundle(one, bundle(two))),
        "bundles on lines": json.dumps(bundle(one)) + "\n" + json.dumps(bundle(two)) + "\n",
        "single lines": "\ufeff" + json.dumps(one) + "\r\n\r\n" + json.dumps(two),
    }

    found = read(tmp_path, forms[form].encode())

    assert [(row["source_id"], row["text"]) for row in found] == [("o1", "first"), ("o2", "second")]


def test_people_withdrawn_and_empty_resources_are_counted(tmp_path: Path) -> None:
    """They are no documents, and none is lost silently."""
    path = tmp_path / "a.json"
    wrong = observation("wrong", status="entered-in-error")
    path.write_text(json.dumps(bundle(PATIENT, wrong, {"resourceType": "Encounter", "id": "e"}, observation("kept"))))
    counts: Counter[str] = Counter()

    texts = [text for batch in Fhir().read(str(path), name="a", counts=counts) for text in batch["text"].to_pylist()]

    assert texts == ["kept"]
    assert counts["resource Patient"] == counts["resource that is withdrawn"] == counts["resource without text"] == 1


@pytest.mark.parametrize(
    "denial",
    [
        {"provision": {"type": "deny"}},
        {"decision": "deny"},
        {"except": [{"type": "deny"}]},
        {"policyRule": {"coding": [{"code": "OPTOUT"}]}},
    ],
)
def test_a_denied_consent_sets_the_notes_of_the_patient_aside(tmp_path: Path, denial: Json) -> None:
    """In the forms of R4, R5 and STU3; an inactive consent says nothing."""
    consent = {"resourceType": "Consent", "id": "k", "status": "active", "patient": SUBJECT, **denial}

    assert [row["rule"] for row in read(tmp_path, bundle(observation("x"), consent))] == ["error.consent_denied"]
    assert [row["text"] for row in read(tmp_path, bundle(observation("x"), consent | {"status": "inactive"}))] == ["x"]


def test_restricted_resources_are_set_aside_unless_allowed(tmp_path: Path) -> None:
    """By the security labels of the resource."""
    secret = observation("x", meta={"security": [{"code": "R"}]})

    assert [row["rule"] for row in read(tmp_path, secret)] == ["error.restricted"]
    assert [row["text"] for row in read(tmp_path, secret, loader=Fhir(restricted=("V",)))] == ["x"]


def test_broken_lines_do_not_affect_their_neighbors(tmp_path: Path) -> None:
    """Too deep, not JSON, not FHIR."""
    deep = b'{"resourceType":"Basic","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    lines = [
        json.dumps(observation("a")).encode(),
        deep,
        b'{"a": oops}',
        b'{"a": 1}',
        json.dumps(observation("b")).encode(),
    ]

    found = read(tmp_path, b"\n".join(lines))

    rules = [None, "error.too_deep", "error.not_json", "error.wrong_format", None]
    assert [row["rule"] for row in found] == rules
    assert all("a.json" in row["message"] for row in found if row["rule"])


def test_a_truncated_bundle_keeps_its_readable_entries(tmp_path: Path) -> None:
    """The rest is one row."""
    data = json.dumps(bundle(observation("a"), observation("b", id="o2")), indent=1).encode()

    found = read(tmp_path, data[:-60])

    assert [row["rule"] for row in found] == [None, "error.truncated"]


def test_a_hundred_megabytes_on_a_line_are_set_aside(tmp_path: Path) -> None:
    """Its neighbors are published."""
    line = b'{"resourceType":"Observation","id":"h","note":[{"text":"' + b"x" * 100_000_000 + b'"}]}'
    lines = [json.dumps(observation("a")).encode(), line, json.dumps(observation("b")).encode()]

    assert [row["rule"] for row in read(tmp_path, b"\n".join(lines))] == [None, "error.too_large", None]


def test_a_wrong_format_is_one_row(tmp_path: Path) -> None:
    """XML under the name of JSON."""
    assert [row["rule"] for row in read(tmp_path, b"<Bundle xmlns='http://hl7.org/fhir'/>")] == ["error.not_json"]


def test_names_and_numbers_in_the_type_and_in_any_identifier_are_removed(tmp_path: Path) -> None:
    """The type of a record is metadata, and its words may be anything."""
    document = {
        "resourceType": "DocumentReference",
        "id": "d",
        "subject": SUBJECT,
        "type": {"text": "Letter about Zorba Qwertz"},
        "description": "Sample ACC-99231 of Zorba",
        "accessionIdentifier": {"value": "ACC-99231"},
    }

    [row] = read(tmp_path, bundle(document, PATIENT))

    assert row["metadata"]["type"] == "Letter about <NAME>"
    assert row["text"].startswith("Letter about <NAME>")
    assert not {"Zorba", "Qwertz", "99231"} & set(row["text"].replace("-", " ").split())
