"""HL7 v2: which messages are documents, how their text is read, and that nobody is in it."""

from __future__ import annotations

import base64
import gzip
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from corpusmill.crawlers.loaders.hl7 import Hl7
from tests.crawlers.loaders.reading import Row, rows

PEOPLE = (
    "PID|1||4482913^^^H^MR||EVERYWOMAN^EVE^E||19620320|F|||153 FERNWOOD DR^^STATESVILLE^OH^35292||(206)3345232||"
    "|||AC5554\r"
    "NK1|1|Qwertz^Zorba|SPO\rPV1|1|O|||||0148^ADDISON^JAMES\r"
)


def message(*segments: str, control: str = "M1", charset: str = "", people: str = PEOPLE) -> str:
    """Return a message with *segments* after its header and people."""
    header = f"MSH|^~\\&|LAB|H|EMR|X|20190305101500||ORU^R01|{control}|P|2.5|||||{charset and '|' + charset}\r"
    return header.replace("|||||||", "||||||") + people + "\r".join(segments) + "\r"


def read(tmp_path: Path, data: bytes | str, *, loader: Hl7 | None = None) -> list[Row]:
    """Return the records of a file with *data*."""
    path = tmp_path / "a.hl7"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return rows(loader or Hl7(), path, name="a.hl7")


def test_a_report_is_a_document_without_its_people(tmp_path: Path) -> None:
    """Names, numbers, addresses and dates of PID, NK1 and PV1 are removed wherever they stand."""
    text = "EVE EVERYWOMAN of 153 Fernwood Dr, phone 206-334-5232, MRN 4482913, husband zorba; Addison's disease."
    obx = f"OBX|1|TX|IMP^Impression||{text} Seen 20190304 by James Addison. Dose 5 mg.||||||F"

    [row] = read(tmp_path, message("OBR|1|||15545^CHEST XRAY^LN|||20190304", obx))

    assert (row["source_id"], row["title"]) == ("M1", "CHEST XRAY")
    assert row["text"] == (
        "Impression\n<NAME> of <PLACE>, phone <PHONE>, MRN <MRN>, husband <NAME>; Addison's disease."
        " Seen 2019 by <NAME>. Dose 5 mg."
    )
    assert row["published_at"].isoformat() == "2019-01-01T00:00:00+00:00"
    assert row["metadata"]["deidentified"] == "date 1, mrn 1, name 3, phone 1, place 1"


def test_escapes_line_breaks_and_repetitions_are_text(tmp_path: Path) -> None:
    """The six signs, hexadecimal data and formatting commands of chapter 2."""
    [row] = read(tmp_path, message(r"NTE|1||a\F\b\S\c\T\d\R\e\E\f\X4142\\H\g\N\\.br\h~i", people=""))

    assert row["text"] == "a|b^c&d~e\\fABg\nh\ni"


@pytest.mark.parametrize(
    ("start", "end", "cut"), [("", "", "\r"), ("\x0b", "\x1c\r", "\r"), ("", "", "\n"), ("", "", "\r\n")]
)
def test_framing_and_line_ends_do_not_matter(tmp_path: Path, start: str, end: str, cut: str) -> None:
    """Files come from MLLP captures, batches and editors."""
    one, two = (start + message(f"NTE|1||text {n}", control=n) + end for n in ("1", "2"))
    batch = f"FHS|^~\\&|A\rBHS|^~\\&|A\r{one}{two}BTS|2\rFTS|1\r"

    found = read(tmp_path, batch.replace("\r", cut))

    assert [(row["source_id"], row["text"]) for row in found] == [("1", "text 1"), ("2", "text 2")]


def test_own_separators_and_character_sets_are_respected(tmp_path: Path) -> None:
    """MSH-1 and MSH-2 define the separators, MSH-18 the encoding."""
    own = "MSH$%*!@$A$B$C$D$2019$$ORU%R01$7$P$2.5\rNTE$1$$a|b!S!c\r"
    header = "MSH|^~\\&|A|B|C|D|2019||ORU^R01|8|P|2.5||||||8859/1\r"

    assert [row["text"] for row in read(tmp_path, own)] == ["a|b%c"]
    assert [row["text"] for row in read(tmp_path, (header + "NTE|1||Café\r").encode("latin-1"))] == ["Café"]


def test_what_is_no_note_is_counted(tmp_path: Path) -> None:
    """Numeric results alone are no text; deleted observations are not published."""
    numeric, withdrawn = "OBX|1|NM|GLU^Glucose||182|mg/dL", "OBX|1|TX|A||wrong patient||||||W"
    path = tmp_path / "a.hl7"
    path.write_text(message(numeric) + message(withdrawn) + message(numeric, "NTE|1||high"))
    counts: Counter[str] = Counter()

    texts = [text for batch in Hl7().read(str(path), name="a", counts=counts) for text in batch["text"].to_pylist()]

    assert texts == ["Glucose: 182 mg/dL\nhigh"]
    assert counts["message without text"] == 2


def test_refused_consent_and_restrictions_set_a_message_aside(tmp_path: Path) -> None:
    """CON-11 and TXA-18 state them; the text is not in the row."""
    refused = message("CON|1||||||||||R", "NTE|1||secret")
    restricted = message("TXA|1|CN||||||||||||||||V", "NTE|1||secret")

    found = read(tmp_path, refused + restricted + message("NTE|1||open"))

    assert [row["rule"] for row in found] == ["error.consent_denied", "error.restricted", None]
    assert "secret" not in str(found)


def test_bad_input_is_set_aside_and_neighbors_are_published(tmp_path: Path) -> None:
    """A wrong format under a right name, separators that are none, an unreadable encoding."""
    good = message("NTE|1||fine")

    assert [row["rule"] for row in read(tmp_path, b"PK\x03\x04 not a message")] == ["error.wrong_format"]
    found = read(tmp_path, "MSH|abcd|\r" + good)
    assert [row["rule"] for row in found] == ["error.wrong_format", None]
    assert "a.hl7" in found[0]["message"]


def test_a_truncated_file_keeps_what_came_before(tmp_path: Path) -> None:
    """The rest is one row that says so."""
    data = gzip.compress((message("NTE|1||one") + "".join(message(f"NTE|1||{n:x}") for n in range(99))).encode())

    found = read(tmp_path, data[:-40])

    assert found[0]["text"] == "one"
    assert found[-1]["rule"] == "error.truncated"


def test_a_huge_message_is_set_aside_in_bounded_memory(tmp_path: Path) -> None:
    """Its neighbors are published."""
    huge = b"MSH|^~\\&|A\rNTE|1||" + b"x" * 33_000_000 + b"\r"

    found = read(tmp_path, message("NTE|1||a").encode() + huge + message("NTE|1||b").encode())

    assert [row["rule"] for row in found] == [None, "error.too_large", None]


def test_pseudonyms_need_a_key_and_replace_the_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key, the recipe is refused."""
    monkeypatch.delenv("CORPUSMILL_PSEUDONYM_KEY", raising=False)
    with pytest.raises(ValidationError, match="is not set"):
        Hl7.model_validate({"deidentify": {"ids": "pseudonym"}})
    monkeypatch.setenv("CORPUSMILL_PSEUDONYM_KEY", "a key of sufficient length")

    [row] = read(tmp_path, message("NTE|1||x"), loader=Hl7.model_validate({"deidentify": {"ids": "pseudonym"}}))

    assert row["source_id"] != "M1"
    assert len(row["metadata"]["patient"]) == 12


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("LAB^TEXT^RTF^Base64^" + base64.b64encode(rb"{\rtf1 Stable.\par}").decode(), "Stable."),
        ("^text^html^A^<p>a \\T\\ b</p>", "a & b"),
        ("^^text/plain^Base64^" + base64.b64encode(b"plain").decode(), "plain"),
        ("^TX^PLAIN^Hex^68656c6c6f", "hello"),
        ("^application^pdf^Base64^" + base64.b64encode(b"%PDF-1.4").decode(), None),
        ("^TEXT^^Hex^zz", None),
    ],
)
def test_attached_documents_are_text(value: str, text: str | None, tmp_path: Path) -> None:
    """Many systems send reports as RTF in ED; what has no text is counted."""
    found = read(tmp_path, message(f"OBX|1|ED|11^Report||{value}"))

    assert [row["text"] for row in found] == ([] if text is None else [f"Report\n{text}"])


def test_code_pages_of_windows_are_known(tmp_path: Path) -> None:
    """MSH-18 of systems in Central Europe says CP1250, which table 0211 lacks."""
    data = message("OBX|1|FT|A||\u015bwie\u017cego\\.sk2\\krwawienia", charset="CP1250").encode("cp1250")

    [row] = read(tmp_path, data)

    assert row["text"].endswith("\u015bwie\u017cego krwawienia")
