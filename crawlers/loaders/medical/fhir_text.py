"""The text of a FHIR resource: its narrative, and texts, coded values and attachments that the narrative lacks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from corpusmill.crawlers.loaders.medical.attached import attached_text, decoded_base64
from corpusmill.crawlers.readers.html_text import plain_text
from corpusmill.schemas.errors import DataError

ADMINISTRATIVE: Final = frozenset(
    (
        *(
            "Patient",
            "Practitioner",
            "PractitionerRole",
            "RelatedPerson",
            "Person",
            "Organization",
            "Location",
            "Endpoint",
        ),
        *(
            "HealthcareService",
            "OrganizationAffiliation",
            "Group",
            "Coverage",
            "Account",
            "Consent",
            "Claim",
            "ClaimResponse",
        ),
        *("ExplanationOfBenefit", "PaymentNotice", "PaymentReconciliation", "EnrollmentRequest", "EnrollmentResponse"),
        *(
            "CoverageEligibilityRequest",
            "CoverageEligibilityResponse",
            "Invoice",
            "ChargeItem",
            "Contract",
            "Schedule",
            "Slot",
        ),
        *(
            "AuditEvent",
            "Provenance",
            "Subscription",
            "MessageHeader",
            "OperationOutcome",
            "Parameters",
            "CapabilityStatement",
        ),
        *(
            "StructureDefinition",
            "StructureMap",
            "ValueSet",
            "CodeSystem",
            "ConceptMap",
            "SearchParameter",
            "NamingSystem",
        ),
        *(
            "OperationDefinition",
            "ImplementationGuide",
            "CompartmentDefinition",
            "GraphDefinition",
            "TestScript",
            "Device",
        ),
        *("InsurancePlan", "Linkage", "BodyStructure", "Substance", "Bundle", "Medication", "MedicationKnowledge"),
    )
)
"""Types of resources that are no notes: they describe people, money or the data itself."""
_SKIPPED: Final = frozenset(
    (
        *(
            "resourceType",
            "id",
            "meta",
            "implicitRules",
            "language",
            "text",
            "extension",
            "modifierExtension",
            "identifier",
        ),
        *(
            "masterIdentifier",
            "name",
            "telecom",
            "address",
            "photo",
            "contact",
            "contained",
            "status",
            "category",
            "class",
        ),
        *(
            "clinicalStatus",
            "verificationStatus",
            "intent",
            "priority",
            "participant",
            "performer",
            "author",
            "recorder",
        ),
        *(
            "asserter",
            "subject",
            "patient",
            "encounter",
            "serviceProvider",
            "custodian",
            "requester",
            "sender",
            "recipient",
        ),
        *("subjectStatus", "confidentiality", "coding", "format", "system", "reference", "fullUrl", "url", "hash"),
        *(
            "securityLabel",
            "mode",
            "time",
            "device",
            "docStatus",
            "relatesTo",
            "instantiatesUri",
            "instantiatesCanonical",
        ),
        *("definition", "udiCarrier", "requisition", "groupIdentifier", "authorString", "authorReference", "orderedBy"),
        *("responsibleParty", "insurance", "location", "attester", "source", "linkId", "_birthDate", "questionnaire"),
    )
)
_TEXT_KEYS: Final = frozenset(
    (
        *(
            "conclusion",
            "description",
            "comment",
            "comments",
            "summary",
            "details",
            "detail",
            "instruction",
            "instructions",
        ),
        *(
            "title",
            "div",
            "text",
            "note",
            "patientInstruction",
            "purpose",
            "abstract",
            "basis",
            "topic",
            "statement",
            "clinicalNotes",
        ),
        *(
            "additionalInstruction",
            "deviation",
            "reason",
            "valueString",
            "valueMarkdown",
            "contentString",
            "answerString",
        ),
        *(
            "valueCode",
            "onsetString",
            "abatementString",
            "display",
            "prefix",
            "preparation",
            "indication",
            "descriptionString",
        ),
        *(
            "conditionNote",
            "deceasedString",
            "ageString",
            "bornString",
            "descriptionMarkdown",
            "complication",
            "history",
        ),
        *("reasonString", "outcomeString", "resultString", "rationaleText", "rationale", "suppliedString"),
    )
)
"""Fields of type string or markdown whose value is text; other strings are codes, names or numbers."""
_LABELS: Final[dict[str, tuple[str, ...]]] = {"DocumentReference": ()}
"""Fields with the words that stand before the values of a resource; the type of a document is its title, not text."""
_WORD: Final = re.compile(r"\w+")


def title_of(resource: dict[str, Any]) -> str | None:
    """Return the title of *resource*: its own, or what its code or type says."""
    for key in ("title", "description"):
        if isinstance(value := resource.get(key), str) and value.strip() and len(value) <= 300:
            return value.strip()
    for key in ("type", "code", "vaccineCode", "medicationCodeableConcept"):
        value = resource.get(key)
        if words := coded(value[0] if isinstance(value, list) and value else value):
            return words
    return None


def text_of(resource: dict[str, Any], counts: Counter[str]) -> str:
    """Return the text of *resource*; empty if it has none. Attachments without text are counted in *counts*."""
    narrative = _narrative(resource)
    written = " ".join(_WORD.findall(narrative.casefold()))
    lines = [narrative] if narrative else []
    for line in _lines(resource, counts):
        words = " ".join(_WORD.findall(line.casefold()))
        if words and f" {words} " not in f" {written} ":
            lines.append(line)
            written += " " + words
    return "\n".join(lines).strip()


def _narrative(resource: dict[str, Any]) -> str:
    text = resource.get("text")
    if isinstance(text, dict) and text.get("status") != "empty" and isinstance(text.get("div"), str):
        return plain_text(text["div"])
    return ""


def _lines(resource: dict[str, Any], counts: Counter[str]) -> Iterator[str]:
    if resource.get("resourceType") == "Binary":
        yield from _attachment(resource, counts)
        return
    yield from _fields(resource, counts)
    contained = resource.get("contained")
    for inner in contained if isinstance(contained, list) else []:
        if isinstance(inner, dict) and inner.get("resourceType") not in ADMINISTRATIVE - {"Medication", "Substance"}:
            yield text_of(inner, counts)


def _fields(element: dict[str, Any], counts: Counter[str]) -> Iterator[str]:
    """Yield the lines of an element: first its code with its value, then its other fields in their order."""
    if isinstance(element.get("linkId"), str):
        yield from _question(element, counts)
        return
    used = set(_SKIPPED)
    labels = _LABELS.get(element.get("resourceType", ""), ("code", "type", "title", "item"))
    label = next((words for key in labels if (words := _label(element.get(key)))), "")
    value_keys = [key for key in element if key.startswith("value") and key not in _SKIPPED]
    values = [words for key in value_keys if (words := _value(element[key]))]
    if label:
        yield f"{label}: {', '.join(values)}" if values else label
    elif values and not isinstance(element.get("text"), str):
        yield ", ".join(values)
    if isinstance(element.get("text"), str):
        yield f"{element['text']}: {', '.join(values)}" if values else element["text"]
    used.update(value_keys, ("code", "title") if label else (), () if labels else ("type",))
    for key, value in element.items():
        if key not in used:
            yield from _field(key, value, counts)


def _question(item: dict[str, Any], counts: Counter[str]) -> Iterator[str]:
    """Yield a question with its answers, and the questions below it, of a QuestionnaireResponse."""
    answers = [one for one in _listed(item.get("answer")) if isinstance(one, dict)]
    values = [_value(one[key]) for one in answers for key in one if key.startswith("value")]
    question = str(item.get("text") or "").strip()
    line = ", ".join(filter(None, values))
    if question or line:
        mark = "" if question.endswith((":", "?")) else ":"
        yield f"{question}{mark} {line}" if question and line else question or line
    for one in answers:
        if isinstance(one.get("valueAttachment"), dict):
            yield from _attachment(one["valueAttachment"], counts)
    for below in (item, *answers):
        yield from _field("item", below.get("item"), counts)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _label(value: Any) -> str:
    return value.strip() if isinstance(value, str) and " " in value.strip() else coded(value)


def _field(key: str, value: Any, counts: Counter[str]) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _field(key, one, counts)
    elif isinstance(value, str):
        if key in _TEXT_KEYS and value.strip():
            yield value.strip()
    elif isinstance(value, dict):
        if "contentType" in value or ("data" in value and isinstance(value["data"], str)):
            yield from _attachment(value, counts)
        elif "reference" in value or key in _SKIPPED:
            return
        elif isinstance(value.get("div"), str):
            yield plain_text(value["div"])
        elif words := _value(value):
            yield words
        else:
            section = value.get("text")
            if isinstance(section, dict) and isinstance(section.get("div"), str):
                yield from filter(
                    None, (_label(value.get("title")) or str(value.get("title") or ""), plain_text(section["div"]))
                )
                value = {name: one for name, one in value.items() if name not in ("title", "code")}
            yield from _fields(value, counts)


def coded(value: Any) -> str:
    """Return the words of a CodeableConcept or a Coding: its text, and displays that say more.

    >>> coded({"text": "sugar", "coding": [{"code": "1", "display": "Glucose"}, {"display": "sugar"}]})
    'sugar (Glucose)'
    """
    if not isinstance(value, dict):
        return ""
    codings = value.get("coding")
    displays = [one.get("display") for one in (codings if isinstance(codings, list) else []) if isinstance(one, dict)]
    if not displays and isinstance(value.get("display"), str) and ("code" in value or "system" in value):
        displays = [value["display"]]
    words = list(dict.fromkeys(one.strip() for one in displays if isinstance(one, str) and one.strip()))
    text = value.get("text") if isinstance(codings, list) or set(value) <= {"text", "id"} else None
    if not isinstance(text, str) or not text.strip():
        return "; ".join(words)
    more = [word for word in words if word.casefold() not in text.casefold()]
    return f"{text.strip()} ({'; '.join(more)})" if more else text.strip()


def _value(value: Any) -> str:
    """Return a value of a simple or general type as words; empty for elements with other fields."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return str(value)
        case str():
            return value.strip()
        case {"value": int() | float() as number, **rest} if not isinstance(number, bool):
            unit = rest.get("unit") or rest.get("code") or ""
            return f"{rest.get('comparator', '')}{number} {unit}".strip()
        case {"numerator": dict() as above, "denominator": dict() as below}:
            return f"{_value(above)} / {_value(below)}"
        case {"low": dict() as low, "high": dict() as high, **rest} if not rest.keys() - {
            "text",
            "type",
            "appliesTo",
            "age",
        }:
            return f"{_value(low)} to {_value(high)}"
        case {"text": str() as text, **rest} if "time" in rest or "authorString" in rest or "authorReference" in rest:
            return text.strip()
        case {"concept": dict() as concept}:
            return coded(concept)
        case dict() if "coding" in value or set(value) <= {"text", "id"} or {"system", "display"} <= value.keys():
            return coded(value)
    return ""


def _attachment(value: dict[str, Any], counts: Counter[str]) -> Iterator[str]:
    """Yield the text of an attachment; those without text that can be read are counted."""
    data = value.get("data")
    if not isinstance(data, str) or not data:
        if isinstance(value.get("url"), str):
            counts["attachment elsewhere"] += 1
        return
    try:
        yield attached_text(decoded_base64(data), str(value.get("contentType") or ""), charset=_charset(value))
    except DataError as error:
        kind = "without text" if error.kind == "not_text" else "that cannot be decoded"
        counts[f"attachment {kind}"] += 1


def _charset(value: dict[str, Any]) -> str | None:
    match = re.search(r"charset=\"?([\w-]+)", str(value.get("contentType") or ""), re.IGNORECASE)
    return match[1] if match else None
