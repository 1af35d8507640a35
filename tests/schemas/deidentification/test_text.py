"""De-identification of texts: each kind is replaced, and what only looks like an identifier stays."""

from __future__ import annotations

import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks.deidentify.notes import score
from benchmarks.deidentify.templates import HELD_OUT, SECOND, THIRD, TUNING, Templates
from corpusmill.schemas.deidentification.dates import date_spans
from corpusmill.schemas.deidentification.kinds import KINDS, SAFE_HARBOR
from corpusmill.schemas.deidentification.known import Known
from corpusmill.schemas.deidentification.lexicon import lexicon
from corpusmill.schemas.deidentification.options import Deidentification
from corpusmill.schemas.deidentification.pseudonyms import KEY_VARIABLE, pseudonym, shift_days
from corpusmill.schemas.deidentification.text import Treatment, deidentified

KEY = "a key of sufficient length"

REPLACED = [
    ("Mr. Zubiri and Dr. Ana Lee agreed. Zubiri left.", "Mr. <NAME> and Dr. <NAME> agreed. <NAME> left."),
    ("PATIENT SEEN WITH DR JONES AND MRS WEATHERBY TODAY", "PATIENT SEEN WITH DR <NAME> AND MRS <NAME> TODAY"),
    ("Signed by Li Wu, RN", "Signed by <NAME>, RN"),
    ("Her daughter Xiomara visits.", "Her daughter <NAME> visits."),
    ("Lives at 14 N. Elm St, Apt 2, Peoria, IL 61602.", "Lives at <PLACE>, <PLACE>, IL 616."),
    ("Peterborough, NH 03601", "<PLACE>, NH 000"),
    ("From St. Brendan's Hospital.", "From <PLACE>."),
    ("Seen 03/05/2019, 2019-03-05, March 5, 2019 and 5 Mar 2019.", "Seen 2019, 2019, 2019 and 2019."),
    ("Went home on 2019-03-05; home phone 555-0142-33.", "Went home on 2019; home phone <PHONE>."),
    ("Return on 3/5 or in March.", "Return on <DATE> or in <DATE>."),
    ("DOB: 04/12/1931, born in 1931", "DOB: <DATE>, born in <DATE>"),
    ("A 94-year-old man, aged 94.", "A 90 or older man, aged 90 or older."),
    ("Phone (309) 555-0142 x12, fax 309.555.0199", "Phone <PHONE>, fax <FAX>"),
    ("m.w+x@example.org https://a.example/x?y=1.", "<EMAIL> <URL>."),
    ("SSN 123-45-6789, from 203.0.113.9", "SSN <SSN>, from <IP>"),
    ("MRN: 00-123 456", "MRN: <MRN>"),
    ("Policy ABC12345, member ID: XYZ-99812", "Policy <PLAN>, member ID: <PLAN>"),
    ("Acct #5512-88. Licence no. A1234567.", "Acct #<ACCOUNT>. Licence no. <LICENSE>."),
    ("VIN 1HGCM82633A004352, plate 7KLM214", "VIN <VEHICLE>, plate <VEHICLE>"),
    ("Serial number SN-88213-A", "Serial number <DEVICE>"),
    ("Accession # 19-44821, also 00482913", "Accession # <ID>, also <ID>"),
    ("Job 17772515 / x. Badge 4471. Docket 19-WP-8361.", "Job <ID> / x. Badge <ID>. Docket <ID>."),
    ("Label: #482418, LM-31-49667", "Label: <ID>, <ID>"),
    ("Plate NRE-241 and plates ABC 1234.", "Plate <VEHICLE> and plates <VEHICLE>."),
    ("Came the third of May, May the third and the 3rd of May.", "Came <DATE>, <DATE> and the <DATE>."),
    ("On Friday, April 26, and Thursday, 11/14.", "On <DATE>, and <DATE>."),
    ("Since 04JUN2013, 12.10.13, Christmas.", "Since 2013, 2013, <DATE>."),
    ("From Apr 3 to Apr 9.", "From <DATE>."),
    ("A ninety-two-year-old and a hundred-year-old; she is 103.", "A 90 or older and 90 or older; she is 90 or older."),
    ("Dr. Doe, 94F with pain", "Dr. <NAME>, 90 or older with pain"),
    ("Call 312/555-0187 x42, 011 52 55 1234 5678.", "Call <PHONE>, <PHONE>."),
    ("Tel. five five five, zero one four two, nine.", "Tel. <PHONE>."),
    ("a.b@\nexample.org, a.b at example dot org, a.b[at]example.org", "<EMAIL>, <EMAIL>, <EMAIL>"),
    ("See https://a.example/results/\n12345/x now", "See <URL> now"),
    ("Near Fond du Lac, to Fond du Lac.", "Near Fond du Lac, to <PLACE>."),
    ("At Our Lady of Grace Infirmary.", "At <PLACE>."),
]
KEPT = [
    "BP 120/80, pain 5/10, strength 4/5, pain down from 9/10 to 3/10.",
    "Creatinine 1.5 mg/dL, platelets 250,000, viral load 1250000 copies/mL.",
    "Parkinson disease, Wilson's disease, Crohn's, a Foley catheter and a Jackson-Pratt drain.",
    "BRCA1, HLA-B27, ICD-10 E11.9, CPT 99213, SNOMED 44054006, NCT01234567.",
    "She may march in place; May 5 mg be given? Main complaint: way of life.",
    "Room 412; a 64-year-old woman; smoked 90 pack-years; 98 kg; T 98.6 F.",
    "The white blood cells and the brown sputum; Dr. <NAME> called 911.",
    "Lyme disease in Vermont since 2019.",
    "Last Tuesday; Christmas disease; the second digit; ninety minutes; EF 90%; sat 90-95.",
    "Titer 1:320; 2.5.1 rule; pH 7.3; 90 mg; SNOMED 44054006; CD34; 62 yrs.",
]


@pytest.mark.parametrize(("text", "expected"), REPLACED)
def test_identifiers_of_each_kind_are_replaced(text: str, expected: str) -> None:
    """A kind without a case here would be promised, not tested."""
    assert deidentified(text)[0] == expected


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_like_an_identifier_stays(text: str) -> None:
    """A note without its doses and values is of no use."""
    assert deidentified(text) == (text, {})


def test_every_covered_kind_is_counted_in_some_case_above() -> None:
    """The counts are what a ledger shows of the work."""
    counted = {kind for text, _ in REPLACED for kind in deidentified(text)[1]}

    assert counted == set(KINDS)
    assert set(SAFE_HARBOR) - set(KINDS) == {"biometric", "photo"}
    assert len(SAFE_HARBOR) == 18


@pytest.mark.parametrize("templates", [TUNING, SECOND, THIRD, HELD_OUT])
def test_generated_notes_lose_their_identifiers_and_nothing_else(templates: Templates) -> None:
    """The benchmark reports more notes; these would notice a detector that breaks."""
    result = score(templates, count=24, seed=7)

    recall = {kind: result.recall(kind) for kind in result.planted}
    assert {kind: share for kind, share in recall.items() if share < (0.95 if kind == "name" else 0.98)} == {}
    assert result.changed == []
    assert len(recall) >= 16


def test_names_that_a_record_states_are_replaced_wherever_they_stand() -> None:
    """Structured fields know names that no list and no cue knows."""
    known = Known(names=frozenset({"qwerty", "white", "lyme"}), values=(("Bath", "place"), ("(309) 555-0142", "phone")))

    text = "qwerty came; White, Qwerty left Bath for a bath. White blood cells. Lyme disease. 3095550142"

    expected = "<NAME> came; <NAME> left <PLACE> for a bath. White blood cells. Lyme disease. <PHONE>"
    assert deidentified(text, known=known)[0] == expected


def test_a_date_of_birth_leaves_no_year() -> None:
    """The year can show an age over 89."""
    known = Known(births=frozenset({date(1931, 4, 12)}))

    assert deidentified("On April 12, 1931 and 4/12/31.", known=known)[0] == "On <DATE> and <DATE>."


def test_shifted_dates_keep_their_distance_and_form() -> None:
    """Intervals between visits are what shifted dates are for."""
    spans = date_spans("2019-03-05 03/09/2019 March 15, 2019", shift_days=-10)

    assert [span.replacement for span in spans] == ["2019-02-23", "02/27/2019", "March 5, 2019"]


def test_pseudonyms_depend_on_key_kind_and_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same patient gets the same pseudonym in every document, and another one under another key."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    options = Deidentification(ids="pseudonym", dates="shift")
    treatment = Treatment.of(options, patient="7")

    name = pseudonym(KEY.encode(), "mrn", "4482913")
    assert deidentified("MRN 448-2913", treatment=treatment)[0] == f"MRN <MRN {name}>"
    assert treatment.shift_days == shift_days(KEY.encode(), "7")
    assert -365 <= shift_days(KEY.encode(), "7") <= -1
    assert pseudonym(b"another key, also long", "mrn", "4482913") != name != pseudonym(KEY.encode(), "id", "4482913")


def test_without_a_key_what_needs_one_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that starts and then finds no key would waste its time; a short key can be guessed."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(ValidationError, match=f"`{KEY_VARIABLE}` is not set"):
        Deidentification(dates="shift")
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(ValidationError, match="has 5 characters, fewer than 16"):
        Deidentification(ids="pseudonym")
    assert Deidentification().secret is None


def test_another_key_than_that_of_the_recipe_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results under two keys in one corpus would give a patient two pseudonyms."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    written = Deidentification(dates="shift").model_dump_json()
    assert Deidentification.model_validate_json(written, strict=True).key_id is not None
    monkeypatch.setenv(KEY_VARIABLE, "another key, also long")

    with pytest.raises(ValidationError, match="not the one of this recipe"):
        Deidentification.model_validate_json(written, strict=True)


@pytest.mark.parametrize("kind", ["photo", "biometric"])
def test_kinds_that_a_text_cannot_hold_are_refused_by_name(kind: str) -> None:
    """Accepting them silently would promise what is not done."""
    with pytest.raises(ValidationError, match=f"`{kind}`: refused"):
        Deidentification(kinds=("name", kind))


def test_only_the_kinds_of_the_recipe_are_replaced() -> None:
    """Whoever needs dates can keep them, outside the Safe Harbor rule."""
    treatment = Treatment(kinds=frozenset({"name"}))

    assert deidentified("Mr. Zubiri, 3/5/2019", treatment=treatment)[0] == "Mr. <NAME>, 3/5/2019"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    "Mr. Zubiri",
                    "Dr. Lee",
                    "3/5/2019",
                    "March",
                    "MRN 4482913",
                    "5/10",
                    "aged 94",
                    "<NAME>",
                    "O'Neil",
                    ",",
                ),
                *("\n", ".", "14 Elm St", "x@example.org", "é", "ß", "İ", "(", "555-010-2000", "Susan", "-", "'s"),
            ]
        ),
        max_size=12,
    ).map(" ".join)
)
def test_a_second_pass_finds_nothing_to_replace_in_known_forms(text: str) -> None:
    """The loaders' output may pass through the stage: placeholders are no identifiers."""
    once, _ = deidentified(text)

    again, _ = deidentified(once)
    for identifier in ("4482913", "Zubiri", "x@example.org", "555-010-2000", "3/5/2019"):
        assert identifier not in once
    assert again.count("<") >= once.count("<")


@pytest.mark.parametrize(
    "piece", ["A", "1", "Mr. A", "1/1/", "a.", "1-", "Ab ", "DR ", "(1) ", "Age: ", "@", "ID ", "1 Aa "]
)
def test_repetitive_text_takes_linear_time(piece: str) -> None:
    """A long line from unknown hands must not stop a run."""
    short, long = (piece * (size // len(piece)) for size in (4_000, 40_000))
    started = time.process_time()
    deidentified(short)
    middle = time.process_time()
    deidentified(long)

    assert time.process_time() - middle < 40 * (middle - started) + 1


def test_names_on_the_lists_are_no_common_words() -> None:
    """A sure name that is also a word would remove the word from every note."""
    lists = lexicon()

    assert not lists.sure_given & lists.common
    assert not (lists.sure_given | lists.sure_family) & lists.said_alone
    assert {"margaret", "susan"} <= lists.sure_given
    assert {"okafor", "johnson", "gonzalez"} & lists.family
