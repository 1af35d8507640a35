"""Names in the forms of real notes are removed, and words that only look like names stay."""

from __future__ import annotations

import re

import pytest

from benchmarks.deidentify import styles
from corpusmill.schemas.deidentification.names import name_spans
from corpusmill.schemas.deidentification.text import deidentified

NAMED = [
    ("no list has the name", "Findings were discussed with Zubkova.", "Zubkova"),
    ("a letter that English has not", "Reviewed by Gołoś today.", "Gołoś"),
    ("capitals", "PATIENT: ZUBKOVA, VESNA M.   MRN", "ZUBKOVA, VESNA M."),
    ("words in capitals, in the order of a form", "ORDERING: LONG, ROSE M.", "LONG, ROSE M."),
    ("a word where none would be capitalized", "She told Grant that it hurts.", "Grant"),
    ("a word before a verb of persons", "Rose denies chest pain.", "Rose"),
    ("a word before its explanation", "Grace, his wife, will come.", "Grace"),
    ("a word after a profession", "The case was seen by RN White today.", "White"),
    ("lower case after a title", "seen w dr zubkova, mri normal", "zubkova"),
    ("lower case, both words", "pt rose long seen in clinic", "rose long"),
    ("lower case before credentials", "will monitor. -- v. zubkova rn", "v. zubkova"),
    ("a slash joins names", "Trauma team: Zubkova/Stone/Okafor at bedside.", "Zubkova Stone Okafor"),
    ("and joins names", "Her sons Pavel and Will were told.", "Pavel Will"),
    ("ages between names", "Children: Vesna (9), Rose (4).", "Vesna Rose"),
    ("a nickname in quotes", 'Pt goes by "Bud" and likes tea.', "Bud"),
    ("initials after by", "Transcribed by VMZ on Monday", "VMZ"),
    ("initials at the end of a line", "Told her to keep the visit. VMZ\n", "VMZ"),
    ("an initial before a word", "Surgery by E. Street in spring.", "E. Street"),
    ("an apostrophe, a hyphen, a particle", "Dr. O'Zubkova met Ms. Li-Okafor and Mr. van der Berg.", "van der Berg"),
    ("an Irish name", "Judge Ó hAonghusa set a date.", "Ó hAonghusa"),
    ("a surname that is an eponym, in person", "The wound was closed by Johnson himself.", "Johnson"),
    ("an acronym in mixed case", "Her sister Tia drove.", "Tia"),
]
KEPT = [
    "Hodgkin lymphoma, Kerley B lines, Swan-Ganz catheter, Dupuytren contracture, a Foley.",
    "Known Parkinson disease; Crohn's; Hickman flushed; Babinski sign negative; Braden 14.",
    "Started Rocephin and Zithromax, then Levaquin; home Lantus 18 units, Lasix 20 mg.",
    "Streptococcus pneumoniae and Klebsiella grew; Legionella antigen negative.",
    "Immunofluorescence and electrophysiology were normal; seroconversion did not occur.",
    "COPD, CHF, CABG and TIA in the past. HFREF. NSTEMI. PERRLA. ELISA positive.",
    "May walk. Will follow. Long history. Grade 3. White male. Brown sputum.",
    "Speaks Spanish; from Vermont; Catholic; Medicare; seen on a Tuesday.",
    "pt afebrile, abd soft, dressing cdi, will monitor, seen w family",
    "GNMs and LipY were measured. Electrospinning was done; electrospinning is slow.",
    "The neighbor's dog, a poodle. DuoNeb x2. Port-A-Cath in place.",
]


@pytest.mark.parametrize(("text", "name"), [row[1:] for row in NAMED], ids=[row[0] for row in NAMED])
def test_a_name_is_removed_in_every_form_that_notes_have(text: str, name: str) -> None:
    """Each form was missed once."""
    left = re.findall(r"[\w'’-]+", deidentified(text)[0])

    assert set(re.findall(r"[\w'’-]+", name)) & set(left) == set()


@pytest.mark.parametrize("text", KEPT)
def test_terms_of_medicine_and_ordinary_words_stay(text: str) -> None:
    """A note without its diseases and drugs is of no use."""
    assert [text[span.start : span.end] for span in name_spans(text)] == []


def test_a_word_that_the_note_has_in_lower_case_is_no_name() -> None:
    """No dictionary has all words of medicine."""
    assert deidentified("Zubkovation began. The zubkovation ended.")[1] == {}
    assert deidentified("Zubkovation began. The end.")[1] == {"name": 1}


def test_a_stated_name_that_is_a_word_is_removed_at_the_beginning_of_a_sentence() -> None:
    """The patient's field says that Grace is a person; White before blood is still a color."""
    text = "Well; Grace of Ward 3 slept. White blood cells fell."

    spans = [text[span.start : span.end] for span in name_spans(text, frozenset({"grace", "white"}))]

    assert spans == ["Grace"]


@pytest.mark.parametrize("name", styles.SETS)
def test_whole_notes_lose_their_identifiers_and_keep_the_rest(name: str) -> None:
    """The benchmark has more notes; these would notice a detector that breaks."""
    result = styles.score(name, count=40, seed=5)

    low = {kind: left for kind, (planted, left) in result.kinds().items() if left > planted * 0.05}
    assert set(low) <= {"place"}
    assert result.planted.total() > 400
    assert sum(result.masked.values()) < 0.025 * result.words
