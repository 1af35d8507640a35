"""The stage `deidentify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, PersonalData, Stage, Transform
from corpusmill.pipelines.stages.deidentify.fields import known_from
from corpusmill.schemas.deidentification.options import Deidentification
from corpusmill.schemas.deidentification.pseudonyms import pseudonym
from corpusmill.schemas.deidentification.text import Treatment, deidentified
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.metadata import metadata_column, metadata_dicts

_CHANGED: Final = ("text", "title", "url", "published_at", "metadata")


class Deidentify(Deidentification, Stage):
    """Remove the 18 kinds of identifiers of HIPAA's Safe Harbor rule from texts, titles and metadata.

    Metadata fields whose names say what they hold (`patient_name`, `mrn`, `dob`, `zip`) are searched for in the text.
    Then all metadata fields are removed, except those in `keep`, which are de-identified themselves. The column `url`
    is emptied, and `published_at` becomes the first day of its year, or is shifted. The id of a record in its data set
    stays: with `id_field`, choose one that identifies nobody. The loaders `fhir` and `hl7` do this work on their own.

    Signals: `deidentify.<kind>`, the number of replaced identifiers in each document. What was replaced is not stored.
    """

    patient: str | None = Field(
        default=None,
        min_length=1,
        description="Metadata field that identifies the patient, for `dates: shift`; null: each document counts as a "
        "patient of its own. With `ids: pseudonym`, its pseudonym is kept in the metadata.",
        examples=["patient_id"],
    )
    identifiers: tuple[str, ...] = Field(
        default=(),
        description="Further metadata fields whose values are removed from the text, such as names in a field whose "
        "name does not say so.",
        examples=[["signed"]],
    )
    keep: tuple[str, ...] = Field(
        default=(),
        description="Metadata fields to keep, de-identified like a text.",
        examples=[["specialty"]],
    )

    version: ClassVar[int] = 3
    masks: ClassVar[bool] = True
    personal_data: ClassVar[PersonalData | None] = PersonalData(signals="deidentify.", is_fixed_form=False)
    card_line: ClassVar[str | None] = "removes the identifiers of the Safe Harbor rule from medical texts"

    def reads(self) -> tuple[str, ...]:
        """Return the columns that are searched or changed."""
        return ("source_id", *_CHANGED)

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the columns of the counts."""
        return tuple(pa.field(f"deidentify.{kind}", pa.int64()) for kind in self.kinds)

    def changes(self) -> tuple[str, ...]:
        """Return the columns that can hold identifiers."""
        return _CHANGED

    def mask_column(self, texts: pa.StringArray) -> pa.StringArray:
        """Return *texts* (nulls stay) without identifiers."""
        treatment = Treatment(frozenset(self.kinds))
        return pa.array(
            [None if text is None else deidentified(text, treatment=treatment)[0] for text in texts.to_pylist()],
            pa.string(),
        )

    def build(self) -> Transform:
        """Return the function."""

        def deidentify(batch: pa.RecordBatch) -> pa.RecordBatch:
            rows = [self._row(*values) for values in zip(*map(_values(batch), ("source_id", *_CHANGED)), strict=True)]
            texts = pa.array([row["text"] for row in rows], pa.string())
            batch = _with_account(batch, batch["text"], texts)
            columns = {name: [row[name] for row in rows] for name in _CHANGED}
            for name in _CHANGED:
                kind = CAPTURE.field(name).type
                column = metadata_column(columns[name]) if name == "metadata" else pa.array(columns[name], kind)
                at = batch.schema.get_field_index(name)
                batch = batch.set_column(at, batch.schema.field(name), column)
            for field in self.adds():
                kind = field.name.removeprefix("deidentify.")
                batch = batch.append_column(field, pa.array([row["counts"][kind] for row in rows], pa.int64()))
            return batch

        return deidentify

    def _row(
        self,
        source_id: str,
        text: str | None,
        title: str | None,
        url: str | None,
        published_at: datetime | None,
        metadata: dict[str, str] | None,
    ) -> dict[str, Any]:
        fields = metadata or {}
        patient = fields.get(self.patient or "")
        treatment = Treatment.of(self, patient=source_id if patient is None else patient)
        known = known_from(fields, identifiers=(*self.identifiers, *((self.patient,) if self.patient else ())))
        counts: Counter[str] = Counter()

        def cleaned(value: str | None) -> str | None:
            if value is None:
                return None
            result, found = deidentified(value, known=known, treatment=treatment)
            counts.update(found)
            return result

        kept = {name: cleaned(_grouped_age(name, fields[name])) or "" for name in self.keep if name in fields}
        if treatment.key is not None and patient is not None:
            kept[self.patient or ""] = pseudonym(treatment.key, "patient", patient)
        return {
            "text": cleaned(text),
            "title": cleaned(title),
            "url": None,
            "published_at": _moved(published_at, treatment.shift_days),
            "metadata": None if metadata is None else kept,
            "counts": counts,
        }


def _values(batch: pa.RecordBatch) -> Any:
    def values(name: str) -> Sequence[Any]:
        column = batch[name]
        return metadata_dicts(column) if name == "metadata" else column.to_pylist()

    return values


def _grouped_age(field: str, value: str) -> str:
    """Return the *value* of a field, or `90 or older` for an age over 89."""
    is_age = "age" in field.casefold().split("_") and value.strip().isdigit()
    return "90 or older" if is_age and int(value) > 89 else value


def _moved(day: datetime | None, shift_days: int | None) -> datetime | None:
    """Return *day* as the first day of its year, or shifted and without its time."""
    if day is None:
        return None
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.replace(month=1, day=1) if shift_days is None else midnight + timedelta(days=shift_days)


def _with_account(batch: pa.RecordBatch, before: pa.StringArray, after: pa.StringArray) -> pa.RecordBatch:
    """Return *batch* with the bytes added and cut: all of a changed text counts as cut and added."""
    old, new = (pc.fill_null(pc.binary_length(texts), 0).cast(pa.int64()) for texts in (before, after))
    is_changed = pc.fill_null(pc.not_equal(before, after), False)
    zero = pa.scalar(0, pa.int64())
    return batch.append_column(TEXT_ADDED, pc.if_else(is_changed, new, zero)).append_column(
        TEXT_CUT, pc.if_else(is_changed, old, zero)
    )
