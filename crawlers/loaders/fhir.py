"""FHIR resources: notes, reports and coded findings as documents, without the identifiers of their people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any, BinaryIO, ClassVar, Final

from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.medical.base import MedicalRecords, Note, parsed_day
from corpusmill.crawlers.loaders.medical.fhir_people import PEOPLE, People, patient_of
from corpusmill.crawlers.loaders.medical.fhir_text import ADMINISTRATIVE, coded, text_of, title_of
from corpusmill.crawlers.loaders.streamed import Broken, Record
from corpusmill.crawlers.loaders.streams import open_decompressed, packed
from corpusmill.crawlers.readers.fhir.stream import Resource, resources
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.licenses import spdx

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
    the notes aside as `error.consent_denied`. A file is read twice: first its people, then its notes.
    """

    resources: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Types of resources that become documents; null: all that have text.",
        examples=[["DocumentReference", "DiagnosticReport"]],
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

    def records_in(
        self, path: str, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Read the people of the file, then yield its notes."""
        people = People()
        with open_decompressed(path) as stream:
            _read_people(stream, people)
        with open_decompressed(path) as stream:
            yield from self._notes(stream, people, name, counts)

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the notes of *stream*, without what resources elsewhere in it say about people."""
        yield from self._notes(stream, People(), name, counts)

    def _notes(self, stream: BinaryIO, people: People, name: str, counts: Counter[str]) -> Iterator[Record | Broken]:
        for resource in resources(stream):
            problem = resource.problem
            value: dict[str, Any] = {}
            try:
                value = value if problem else resource.value
            except DataError as error:
                problem = (error.kind, error.message)
            if problem is not None:
                yield Broken(resource.data, problem[0], f"{name}: {problem[1]}", offset=resource.offset)
            elif (kind := _not_a_note(value)) or (self.resources and value["resourceType"] not in self.resources):
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


def _read_people(stream: BinaryIO, people: People) -> None:
    """Fill *people* from *stream*. Problems are reported when the notes are read."""
    try:
        for resource in resources(stream):
            if resource.problem is None and PEOPLE.search(resource.data):
                try:
                    people.add(resource.value, resource.full_url)
                except DataError as error:
                    if error.kind == "too_large":
                        raise
    except DataError as error:
        if error.kind == "too_large":
            raise


def _not_a_note(value: dict[str, Any]) -> str | None:
    """Return what kind of resource *value* is if it is no note."""
    if value["resourceType"] in ADMINISTRATIVE:
        return f"resource {value['resourceType']}"
    verification = coded_values(value.get("verificationStatus"))
    if value.get("status") in _WITHDRAWN or value.get("docStatus") in _WITHDRAWN or "entered-in-error" in verification:
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
