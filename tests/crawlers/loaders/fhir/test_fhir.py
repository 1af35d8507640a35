"""FHIR: which resources are documents, what their text is, and that nobody is in it."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from corpusmill.crawlers.loaders import fhir
from corpusmill.crawlers.loaders.fhir import Fhir
from corpusmill.crawlers.loaders.medical.fhir_text import text_of
from tests.crawlers.loaders.reading import Row, rows

Json = dict[str, Any]
WORDS = (
    "Window Kettle Carpet Garden Pencil Bottle Saddle Mirror Needle Candle Hammer Ladder Basket Blanket Button Cabbage "
    "Ceiling Chimney Copper Cushion Drawer Engine Feather Fiddle Finger Furnace Gravel Harness Jacket Kitchen Lantern "
    "Leather Lettuce Magnet Mattress Meadow Mustard Napkin Onion Orange Paddle Pepper Pickle Pillow Pocket Potato "
    "Puddle Ribbon Rubber Saucer Scissors Shovel Sponge Stocking Thimble Ticket Timber Towel Trousers Umbrella"
).split()
"""Words that no detector takes for a name unless a patient is called so."""
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


def test_a_conditional_reference_finds_its_patient(tmp_path: Path) -> None:
    """Transactions and Synthea refer to people by their identifiers; the type alone would be the same for all."""
    people = [
        {
            "resourceType": "Patient",
            "id": f"x{number}",
            "identifier": [{"system": "urn:mrn", "value": f"N{number}"}],
            "name": [{"family": WORDS[number]}],
        }
        for number in range(60)
    ]
    subject = {"reference": "https://a.example/fhir/Patient?identifier=urn:mrn|N7"}

    [row] = read(tmp_path, bundle(observation(f"the {WORDS[7]}, not the {WORDS[8]}", subject=subject), *people))

    assert row["text"] == f"the <NAME>, not the {WORDS[8]}"


def test_a_questionnaire_keeps_answers_beside_their_questions(tmp_path: Path) -> None:
    """The name of a patient can be an answer."""
    items = [
        {"linkId": "patient-name", "text": "Patient Name", "answer": [{"valueString": "Grimbald Oxtoby"}]},
        {"linkId": "2", "text": "Do you smoke?", "answer": [{"valueBoolean": False}]},
        {"linkId": "3", "text": "Pain", "item": [{"linkId": "3.1", "text": "Score", "answer": [{"valueInteger": 7}]}]},
        {"linkId": "4", "text": "Notes", "answer": [{"valueString": "Oxtoby is now well."}]},
    ]

    [row] = read(tmp_path, {"resourceType": "QuestionnaireResponse", "id": "q", "item": items})

    assert row["text"] == "Patient Name: <NAME>\nDo you smoke? no\nPain\nScore: 7\nNotes: <NAME> is now well."


CDA = """<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><recordTarget><patientRole><patient><name>
<given>Adam</given><family>Everyman</family></name></patient></patientRole></recordTarget><component><structuredBody>
<component><section><title>Allergies</title><text><table><tr><td><content ID="r1">Penicillin</content></td>
<td>Hives</td></tr></table><list><item>one</item></list></text></section></component></structuredBody></component>
</ClinicalDocument>"""
BODY = """<ClinicalDocument xmlns="urn:hl7-org:v3"><component><nonXMLBody><text mediaType="text/plain"
representation="B64">{}</text></nonXMLBody></component></ClinicalDocument>"""


@pytest.mark.parametrize(
    ("media_type", "content", "text"),
    [
        ("text/rtf", rb"{\rtf1\ansi\pard 38.5 \'b0C\par}", "38.5 °C"),
        ("application/msword", rb"{\rtf1 letter}", "letter"),
        ("text/xml", CDA.encode(), "Allergies\nPenicillin | Hives\n\n- one"),
        ("text/xml", BODY.format(base64.b64encode(b"plain").decode()).encode(), "plain"),
        ("text/plain", gzip.compress(b"packed"), "packed"),
        ("application/gzip", gzip.compress(b"<p>packed</p>"), "packed"),
        ("text/plain; charset=iso-8859-1", "la fièvre".encode("latin-1"), "la fièvre"),
        ("", b"line\r\nline", "line\nline"),
        ("application/pdf", b"%PDF-1.4", None),
        ("text/plain", gzip.compress(bytes(40_000_000)), None),
        ("text/plain", gzip.compress(b"cut")[:-9], None),
        ("text/xml", BODY.format(base64.b64encode(BODY.encode()).decode()).encode(), None),
        ("text/xml", b"<ClinicalDocument ><unclosed>", None),
        ("text/rtf", rb"{\rtf1 " + b"{" * 100_000, None),
    ],
)
def test_attachments_are_read_by_what_they_are(
    media_type: str, content: bytes, text: str | None, tmp_path: Path
) -> None:
    """A document without a text that can be read is counted; its type alone is no text."""
    attachment = {"contentType": media_type, "data": base64.b64encode(content).decode()}
    resource = {
        "resourceType": "DocumentReference",
        "id": "d",
        "type": {"text": "Progress note"},
        "content": [{"attachment": attachment}],
    }
    counts: Counter[str] = Counter()

    assert [row["text"] for row in read(tmp_path, resource)] == ([] if text is None else [text])
    list(Fhir().read(str(tmp_path / "a.json"), name="a", counts=counts))
    unread = counts["attachment without text"] + counts["attachment that cannot be decoded"]
    assert unread == counts["resource without text"] == (text is None)


@pytest.mark.parametrize(
    "strange",
    [
        {"status": {"a": 1}, "docStatus": ["x"]},
        {"subject": [], "meta": [], "code": "x", "contained": {"a": 1}, "identifier": "z", "name": 5},
        {"id": 5, "text": {"div": 5}, "content": [{"attachment": {"data": 5, "contentType": []}}]},
    ],
)
def test_fields_of_wrong_types_do_not_end_the_file(strange: Json, tmp_path: Path) -> None:
    """No server checks everything that it is sent."""
    found = read(tmp_path, bundle(observation("strange", **strange), observation("kept", id="o2")))

    assert [row["text"] for row in found] == ["strange", "kept"]


def test_a_mistake_of_ours_affects_one_resource(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notes after it are published."""

    def failing(resource: Json, counts: Counter[str]) -> str:
        return text_of(resource, counts) if resource["id"] != "o1" else str(1 // 0)

    monkeypatch.setattr(fhir, "text_of", failing)

    found = read(tmp_path, bundle(observation("x"), observation("kept", id="o2")))

    assert [(row["rule"], row["text"]) for row in found] == [("error.unexpected", None), (None, "kept")]


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
    assert row["text"] == "Sample <ID> of <NAME>"
    assert not {"Zorba", "Qwertz", "99231"} & set(row["text"].replace("-", " ").split())
