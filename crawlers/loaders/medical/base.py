"""The base of loaders of medical records: every record is de-identified before it leaves the loader."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from pydantic import Field

from corpusmill.crawlers.loaders.streamed import Broken, Record, Streamed
from corpusmill.schemas.deidentification.known import Known
from corpusmill.schemas.deidentification.options import Deidentification
from corpusmill.schemas.deidentification.pseudonyms import pseudonym
from corpusmill.schemas.deidentification.text import Treatment, deidentified

COUNTED: Final = "deidentified"
"""Key of the metadata that counts the replaced identifiers of a document, by kind."""


@dataclass(frozen=True)
class Note:
    """A record before de-identification.

    Args:
        native: As in `Record`.
        patient: What identifies the patient; it decides by how much dates move. None: the record's own id.
        known: What the record says about its people.
        day: The date of the note.
        metadata: Further facts; those of several words are de-identified like a text.
    """

    native: bytes
    text: str
    source_id: str | None
    known: Known
    title: str | None = None
    patient: str | None = None
    day: date | None = None
    license: str | None = None
    license_source: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    offset: int | None = None


class MedicalRecords(Streamed):
    """A loader whose documents are de-identified."""

    deidentify: Deidentification = Field(
        default_factory=Deidentification,
        description="How identifiers are replaced: see the parameters of the stage of this name.",
        examples=[{"dates": "year"}],
    )
    restricted: tuple[str, ...] = Field(
        default=("R", "V"),
        description="Codes of confidentiality whose records are set aside as `error.restricted`: `R` restricted, `V` "
        "very restricted.",
    )

    def published(self, note: Note) -> Record | Broken:
        """Return *note* as a record without identifiers; one without text is `error.no_text`."""
        options = self.deidentify
        patient = note.patient or note.source_id or ""
        treatment = Treatment.of(options, patient=patient)
        text, counts = deidentified(note.text, known=note.known, treatment=treatment)
        title, in_title = deidentified(note.title or "", known=note.known, treatment=treatment)
        metadata: dict[str, str] = {}
        in_metadata: Counter[str] = Counter()
        for key, value in note.metadata.items():
            metadata[key], found = (
                deidentified(value, known=note.known, treatment=treatment) if " " in value else (value, {})
            )
            in_metadata.update(found)
        if total := counts + in_title + in_metadata:
            metadata[COUNTED] = counted(total)
        if treatment.key is not None and note.patient:
            metadata["patient"] = pseudonym(treatment.key, "patient", note.patient)
        record = Record(
            native=note.native,
            text=text if text.strip() else None,
            source_id=note.source_id,
            title=title or None,
            license=note.license,
            license_source=note.license_source,
            published_at=published_at(note.day, treatment.shift_days),
            metadata=metadata,
            offset=note.offset,
        )
        if treatment.key is not None and note.source_id:
            return replace(record, source_id=pseudonym(treatment.key, "record", note.source_id))
        return record


def counted(counts: Counter[str]) -> str:
    """Return *counts* as text.

    >>> counted(Counter(name=2, date=1))
    'date 1, name 2'
    """
    return ", ".join(f"{kind} {counts[kind]}" for kind in sorted(counts))


def published_at(day: date | None, shift_days: int | None) -> datetime | None:
    """Return the date of a note as it may be published: the first day of its year, or shifted."""
    if day is None:
        return None
    if shift_days is None:
        return datetime(day.year, 1, 1, tzinfo=UTC)
    moved = day + timedelta(days=shift_days)
    return datetime(moved.year, moved.month, moved.day, tzinfo=UTC)


def parsed_day(value: str) -> date | None:
    """Return the date at the beginning of *value*, in the forms of HL7 v2 and FHIR; missing parts are the first.

    >>> parsed_day("20190305101500-0500"), parsed_day("2019-03"), parsed_day("soon")
    (datetime.date(2019, 3, 5), datetime.date(2019, 3, 1), None)
    """
    head = value.strip()[:10]
    digits = (head.replace("-", "") if head[4:5] == "-" else head)[:8]
    if len(digits) < 4 or not digits[:4].isdigit():
        return None
    parts = (digits[:4], digits[4:6], digits[6:8])
    try:
        year, month, day = (int(part) if part.isdigit() else 1 for part in parts)
        return date(year, month, day)
    except ValueError:
        return None
