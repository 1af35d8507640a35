"""FHIR resources: notes, reports and coded findings as documents, without the identifiers of their people."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any, BinaryIO, ClassVar, Final

from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.jsonl import JsonLines, open_lines
from corpusmill.crawlers.loaders.medical.base import MedicalRecords, Note, parsed_day
from corpusmill.crawlers.loaders.medical.fhir_companions import companions_of, people_in, read_people
from corpusmill.crawlers.loaders.medical.fhir_people import PEOPLE, People, patient_of, people_named_in
from corpusmill.crawlers.loaders.medical.fhir_text import ADMINISTRATIVE, coded, text_of, title_of
from corpusmill.crawlers.loaders.streamed import Broken, Record
from corpusmill.crawlers.loaders.streams import open_decompressed, packed
from corpusmill.crawlers.loaders.unexpected import expected
from corpusmill.crawlers.readers.fhir.stream import Resource, ndjson_head, resources
from corpusmill.schemas.errors import DataError, SourceError
from corpusmill.schemas.licenses import spdx
from corpusmill.schemas.storage import is_url

MAX_REFERENCES: Final = 1_000_000
"""References to people in the notes of a slice, about 120 MB of memory."""
_LINES: Final = JsonLines()

_WITHDRAWN: Final = frozenset(("entered-in-error", "superseded"))
_DATES: Final = (
    *("date", "effectiveDateTime", "authored", "authoredOn", "performedDateTime", "occurrenceDateTime", "recordedDate"),
    *("onsetDateTime", "assertedDate", "issued", "sent", "created", "indexed", "started", "dateAsserted", "recorded"),
)
_PERIODS: Final = ("effectivePeriod", "period", "performedPeriod", "occurrencePeriod")


class Fhir(MedicalRecords):
    """FHIR resources (STU3 to R5) as JSON: Bundles, NDJSON of bulk exports, arrays and single resources.

    A document is a resource that has text: its narrative, and the coded values, notes, conclusions and attachments
    that the narrative lacks. Its id is that of the resource. Resources about people, money or the data itself are no
    documents; what they say about people is removed from the notes. A patient's active Consent that denies use sets
    the notes aside as `error.consent_denied`. The people and consents are those of the whole file and, in a bulk
    export, of the files beside it that are named by these types, such as `Patient.ndjson`. NDJSON is read in slices.
    """

    resources: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Types of resources that become documents; null: all that have text.",
        examples=[["DocumentReference", "DiagnosticReport"]],
    )

    people: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Files with the people and consents of the notes: patterns relative to the folder of each file. "
        "null: files that are NDJSON and named by their type of resource, such as `Patient.ndjson`, beside each file.",
        examples=[["../people/*.ndjson"]],
    )

    suffixes: ClassVar[tuple[str, ...]] = packed(".json", ".ndjson", ".jsonl", ".fhir")
    version: ClassVar[int] = 3
    depends: ClassVar[tuple[str, ...]] = ("lxml",)
    about: ClassVar[About] = About(
        license="Resources carry none, except a few `copyright` fields. Records of patients need consent or a waiver; "
        "synthetic patients are free.",
        get="the bulk export ($export) of a FHIR server, or the generator of synthetic patients Synthea",
        tried="Bundles, NDJSON and single resources that the tests write, in the forms of STU3, R4 and R5",
    )

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return the slices of JSON Lines for NDJSON that begins with notes; one slice of other files.

        Each slice needs the people of the whole file. If they stand between the notes, reading them for each slice
        would take longer than reading the file once.
        """
        try:
            with open_decompressed(path) as stream:
                head = ndjson_head(stream)
        except DataError:
            return [(0, -1)]
        return _LINES.slices(path) if head and not PEOPLE.search(head) else [(0, -1)]

    def companions(self, path: str) -> tuple[str, ...]:
        """Return the files with the people and consents of a bulk export that the notes at *path* belong to."""
        return companions_of(path, self.people)

    def check(self, path: str) -> None:
        """Check that the files in `people` exist.

        Raises:
            SourceError: None does, so that names would stay in the notes.
        """
        if self.people is not None and not is_url(path) and not companions_of(path, self.people):
            hint = "write the patterns relative to the folder of the notes, such as `Patient*.ndjson`"
            raise SourceError("no file beside the notes fits", file=path, field="people", value=self.people, hint=hint)

    def records_in(
        self, path: str, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Read the references in the notes, the people of the whole file and its companions, then yield the notes.

        Raises:
            DataError: A companion breaks off, or the rest of the file cannot be read.
        """
        people = People(wanted=_people_named_in(path, start, end))
        _add_own_people(path, people)
        if unreadable := read_people(self.companions(path), people):
            counts["unreadable record of a companion"] += unreadable
        stream, position = open_lines(path, start, end)
        with stream:
            yield from self._notes(resources(stream, start=position, end=end), people, name, counts)

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the notes of *stream*, without what resources elsewhere in it say about people."""
        yield from self._notes(resources(stream), People(), name, counts)

    def _notes(
        self, found: Iterator[Resource], people: People, name: str, counts: Counter[str]
    ) -> Iterator[Record | Broken]:
        for resource in found:
            try:
                with expected():  # a mistake in our reader affects one resource
                    yield from list(self._records(resource, people, counts))
            except DataError as error:
                yield Broken(resource.data, error.kind, f"{name}: {error.message}", offset=resource.offset)

    def _records(self, resource: Resource, people: People, counts: Counter[str]) -> Iterator[Record | Broken]:
        """Yield the note that *resource* is, or count it.

        Raises:
            DataError: It cannot be read.
        """
        if resource.problem is not None:
            raise DataError(resource.problem[1], kind=resource.problem[0])
        value = resource.value
        kind = _not_a_note(value)
        if kind or (self.resources and value["resourceType"] not in self.resources):
            counts[kind or f"resource {value['resourceType'][:40]}"] += 1
        else:
            yield from self._note(resource, value, people, counts)

    def _note(
        self, resource: Resource, value: dict[str, Any], people: People, counts: Counter[str]
    ) -> Iterator[Record | Broken]:
        source_id = value["id"] if isinstance(value.get("id"), str) and value["id"] else resource.full_url
        patient = patient_of(value)
        if refusal := self._refusal(value, patient, people):
            yield Broken(resource.data, *refusal, source_id=source_id, offset=resource.offset)
            return
        text = text_of(value, counts)
        if not text:
            counts["resource without text"] += 1
            return
        if patient is not None and not people.has(patient):
            counts["note of a patient whose resource is not known"] += 1
        license_ = spdx(value["copyright"]) if isinstance(value.get("copyright"), str) else None
        yield self.published(
            Note(
                native=resource.data,
                text=text,
                source_id=source_id,
                known=people.around(value),
                title=title_of(value),
                patient=patient,
                day=_day(value),
                license=license_,
                license_source="fhir:copyright" if license_ else None,
                metadata=_metadata(value, patient, people),
                offset=resource.offset,
            )
        )

    def _refusal(self, value: dict[str, Any], patient: str | None, people: People) -> tuple[str, str] | None:
        if patient in people.denied:
            return "consent_denied", "an active Consent of the patient denies the use of the record"
        if labels := {code for code in _security(value) if code in self.restricted}:
            return "restricted", f"the security label {', '.join(sorted(labels))} restricts the use of the resource"
        return None


def _people_named_in(path: str, start: int, end: int) -> set[str]:
    """Return the references to people in the resources of a slice. Problems are reported when the notes are read.

    Raises:
        DataError: ``too_large``: there are more than `MAX_REFERENCES`.
    """
    named: set[str] = set()
    stream, position = open_lines(path, start, end)
    with stream, _broken_file_reported_later():
        for resource in resources(stream, start=position, end=end):
            named.update(people_named_in(resource.data))
            if len(named) > MAX_REFERENCES:
                raise DataError(f"the notes name more than {MAX_REFERENCES:,} people: split the file", kind="too_large")
    return named


def _add_own_people(path: str, people: People) -> None:
    """Add the people in the file at *path*. Problems are reported when the notes are read.

    Raises:
        DataError: ``too_large``: there are too many people.
    """
    with _broken_file_reported_later():
        for _ in people_in(path, people):
            pass


@contextlib.contextmanager
def _broken_file_reported_later() -> Iterator[None]:
    """Suppress the errors of a file that breaks off: what stands before is used, and reading the notes reports it."""
    try:
        yield
    except DataError as error:
        if error.kind == "too_large":
            raise


def _not_a_note(value: dict[str, Any]) -> str | None:
    """Return what kind of resource *value* is if it is no note."""
    if value["resourceType"] in ADMINISTRATIVE:
        return f"resource {value['resourceType']}"
    verification = coded_values(value.get("verificationStatus"))
    stated = {value.get(key) for key in ("status", "docStatus") if isinstance(value.get(key), str)}
    if stated & _WITHDRAWN or "entered-in-error" in verification:
        return "resource that is withdrawn"
    return None


def coded_values(value: Any) -> set[str]:
    """Return the codes of a CodeableConcept, or the code that *value* is."""
    if isinstance(value, str):
        return {value}
    codings = value.get("coding") if isinstance(value, dict) else None
    return {str(one.get("code")) for one in (codings if isinstance(codings, list) else []) if isinstance(one, dict)}


def _security(value: dict[str, Any]) -> Iterator[str]:
    meta = value.get("meta")
    labels = meta.get("security") if isinstance(meta, dict) else None
    for label in labels if isinstance(labels, list) else []:
        if isinstance(label, dict):
            yield str(label.get("code"))
    if isinstance(value.get("confidentiality"), str):
        yield value["confidentiality"]
    for label in value["securityLabel"] if isinstance(value.get("securityLabel"), list) else []:
        yield from coded_values(label)


def _day(value: dict[str, Any]) -> date | None:
    for key in _DATES:
        if isinstance(value.get(key), str) and (day := parsed_day(value[key])):
            return day
    for key in _PERIODS:
        period = value.get(key)
        if isinstance(period, dict) and isinstance(period.get("start"), str) and (day := parsed_day(period["start"])):
            return day
    return None


def _metadata(value: dict[str, Any], patient: str | None, people: People) -> dict[str, str]:
    metadata = {"resource": value["resourceType"]}
    for key in ("language", "status"):
        if isinstance(value.get(key), str) and len(value[key]) <= 40:
            metadata[key] = value[key]
    kind = value.get("type")
    if words := coded(kind[0] if isinstance(kind, list) and kind else kind):
        metadata["type"] = words
    if patient in people.permitted:
        metadata["consent"] = "permit"
    return metadata
