"""The people of FHIR resources: who must not appear in notes, whose notes may not be used, and how both are found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from urllib.parse import unquote

from corpusmill.crawlers.loaders.medical.base import parsed_day
from corpusmill.schemas.deidentification.known import Gathered, Known
from corpusmill.schemas.errors import DataError

PEOPLE: Final = re.compile(
    rb'"resourceType"\s*:\s*"(?:Patient|Practitioner|PractitionerRole|RelatedPerson|Person|Organization|Location'
    rb"|Coverage|Account"
    rb'|Device|Consent|Encounter)"'
)
"""Resources that `People` reads."""
_OWNERS: Final = ("patient", "subject", "beneficiary", "individual", "practitioner")
_KINDS: Final = {
    "MR": "mrn",
    "MRN": "mrn",
    "PI": "mrn",
    "PT": "mrn",
    "SS": "ssn",
    "SB": "ssn",
    "DL": "license",
    "PPN": "license",
    "NPI": "license",
    "MD": "license",
    "MB": "plan",
    "SN": "plan",
    "MC": "plan",
    "AN": "account",
    "SNO": "device",
    "UDI": "device",
}
"""Kinds by the code of an identifier's type (table 0203)."""
_TELECOM: Final = {"email": "email", "fax": "fax", "url": "url"}
_PERSON_KEYS: Final = frozenset(
    (
        *(
            "subject",
            "patient",
            "performer",
            "author",
            "recorder",
            "asserter",
            "requester",
            "individual",
            "actor",
            "sender",
        ),
        *(
            "recipient",
            "practitioner",
            "generalPractitioner",
            "beneficiary",
            "subscriber",
            "payor",
            "informationSource",
            "who",
        ),
        *(
            "authorReference",
            "custodian",
            "party",
            "attester",
            "participant",
            "member",
            "interpreter",
            "resultsInterpreter",
        ),
        *(
            "serviceProvider",
            "managingOrganization",
            "organization",
            "authenticator",
            "enterer",
            "verifier",
            "policyHolder",
        ),
        *("responsible", "location", "source", "collector", "operator", "agent", "onBehalfOf", "owner", "supervisor"),
    )
)
_ORGANIZATIONS: Final = frozenset(
    ("serviceProvider", "managingOrganization", "organization", "custodian", "payor", "location", "owner")
)
_ALL_OF_A_FILE: Final = 40
"""With at most this many references to people in a file and its companions, each note is searched for all of them."""
MAX_PEOPLE: Final = 500_000
"""People that the notes of a slice name, about 250 MB of memory."""
_ABOUT_NAME: Final = re.compile(
    r"(?<![a-z])(?:patient|full|first|last|middle|given|family|maiden|sur|mother|father|spouse|parent|guardian|contact"
    r"|doctor|physician|provider|child|person|your|preferred|legal)(?:'s|s)?[ ._-]?(?:\w+[ ._-])?name(?![a-z])|^name\b",
    re.IGNORECASE,
)
_ABOUT_BIRTH: Final = re.compile(r"birth|(?<![a-z])dob(?![a-z])", re.IGNORECASE)
_REFERENCE: Final = re.compile(rb'"reference"\s*:\s*"((?:[^"\\]|\\.){1,400})"')
_PERSON: Final = re.compile(
    r"urn:|(?:Patient|Practitioner|PractitionerRole|RelatedPerson|Person|Organization|Location|Coverage|Account|Device"
    r"|Encounter)[/?]"
)


@dataclass
class People:
    """The people of a file by the references to them, and the patients who deny or permit the use of their records.

    Args:
        wanted: The references that the notes have; of many people, only these are kept. None: all.
    """

    wanted: set[str] | None = None
    denied: set[str] = field(default_factory=set)
    permitted: set[str] = field(default_factory=set)
    _known: dict[str, bytes] = field(default_factory=dict)
    _everyone: Known | None = None
    _references: int = 0
    _is_pruned: bool = False

    def add(self, resource: dict[str, Any], full_url: str | None) -> None:
        """Add what *resource* says.

        Raises:
            DataError: ``too_large``: there are more than `MAX_PEOPLE`.
        """
        kind = resource["resourceType"]
        owners = [ref for key in _OWNERS for ref in references(resource.get(key))]
        if kind == "Consent":
            self._add_consent(resource, owners)
            return
        named = {*names_of(resource, full_url), *([] if kind in ("PractitionerRole",) else owners)}
        self._references += len(named)
        named.update(queries_of(resource))
        if self._references > _ALL_OF_A_FILE and self.wanted is not None:
            if not self._is_pruned:
                self._known = {ref: known for ref, known in self._known.items() if ref in self.wanted}
                self._is_pruned = True
            named &= self.wanted
        if named:
            known = stated(resource)
            for ref in named:
                self._known[ref] = _packed(self.known(ref) | known)
        if len(self._known) > MAX_PEOPLE:
            raise DataError(
                f"the notes name more than {MAX_PEOPLE:,} people: split the file, or decompress it if it is NDJSON, "
                "which is then read in slices",
                kind="too_large",
            )

    def _add_consent(self, resource: dict[str, Any], owners: list[str]) -> None:
        if resource.get("status", "active") != "active":
            return
        chosen = owners if self.wanted is None else [ref for ref in owners if ref in self.wanted]
        (self.denied if is_denial(resource) else self.permitted).update(chosen)

    def known(self, reference: str) -> Known:
        """Return what is known about the person *reference*; nothing if nobody has that name."""
        packed = self._known.get(reference)
        return Known() if packed is None else _unpacked(packed)

    def has(self, reference: str) -> bool:
        """Return whether a resource describes *reference*."""
        return reference in self._known

    def around(self, resource: dict[str, Any]) -> Known:
        """Return what is known about the people of *resource*: those that it names, and those whom they name."""
        known = stated(resource)
        if self._references <= _ALL_OF_A_FILE:
            return known | self._all()
        for ref in set(references(resource)):
            known = known | self.known(ref)
        return known

    def _all(self) -> Known:
        if self._everyone is None:
            everyone = Known()
            for ref in self._known:
                everyone = everyone | self.known(ref)
            self._everyone = everyone
        return self._everyone


def _packed(known: Known) -> bytes:
    """Return *known* in a third of its memory."""
    births = [day.isoformat() for day in sorted(known.births)]
    return json.dumps([sorted(known.names), known.values, births], ensure_ascii=False).encode(errors="replace")


def _unpacked(packed: bytes) -> Known:
    names, values, births = json.loads(packed)
    days = frozenset(date.fromisoformat(day) for day in births)
    return Known(frozenset(names), tuple((value, kind) for value, kind in values), days)


def people_named_in(data: bytes) -> Iterator[str]:
    """Yield the references to people in the bytes of a resource, as `short` writes them."""
    for match in _REFERENCE.findall(data):
        text = match.decode(errors="replace")
        reference = short(json.loads(f'"{text}"') if "\\" in text else text)
        if _PERSON.match(reference):
            yield reference


def is_denial(consent: dict[str, Any]) -> bool:
    """Return whether *consent* denies use: in R5 by `decision`, in R4 by `provision.type`, in STU3 by `except`."""
    if consent.get("decision") is not None:
        return bool(consent["decision"] == "deny")
    rules = [*_dicts(consent.get("policyRule")), *_dicts(consent.get("policy"))]
    if any("OPTOUT" in str(rule).upper() for rule in rules):
        return True
    return any(one.get("type") == "deny" for key in ("provision", "except") for one in _dicts(consent.get(key)))


def _dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects of *value*, which may be one or a list."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def names_of(resource: dict[str, Any], full_url: str | None) -> list[str]:
    """Return the references that name *resource*: by type and id, and the URL of its entry."""
    own = [f"{resource['resourceType']}/{resource['id']}"] if isinstance(resource.get("id"), str) else []
    return [*own, *([short(full_url)] if full_url else [])]


def queries_of(resource: dict[str, Any]) -> list[str]:
    """Return the conditional references that find *resource* by an identifier.

    >>> queries_of({"resourceType": "Patient", "identifier": [{"system": "urn:mrn", "value": "7"}]})
    ['Patient?identifier=urn:mrn|7', 'Patient?identifier=7']
    """
    found = []
    for identifier in _dicts(resource.get("identifier")):
        if isinstance(value := identifier.get("value"), str):
            head = f"{resource['resourceType']}?identifier="
            found += [f"{head}{identifier.get('system', '')}|{value}", f"{head}{value}"]
    return found


def short(reference: str) -> str:
    """Return *reference* without the server and the version: `Patient/1`, `urn:uuid:…` or `#contained`.

    A conditional reference stays a query, because the type alone would be the same for all patients.

    >>> short("https://example.org/fhir/Patient/1/_history/2"), short("urn:uuid:5")
    ('Patient/1', 'urn:uuid:5')
    >>> short("https://example.org/fhir/Patient?identifier=https%3A%2F%2Fe.org%7C7")
    'Patient?identifier=https://e.org|7'
    """
    reference, mark, query = reference.partition("/_history/")[0].partition("?")
    if mark:
        return f"{reference.rpartition('/')[2]}?{unquote(query)}"
    return "/".join(reference.split("/")[-2:]) if "/" in reference else reference


def references(value: Any) -> Iterator[str]:
    """Yield the references anywhere in *value*."""
    if isinstance(value, dict):
        reference = value.get("reference")
        if isinstance(reference, str):
            yield short(reference)
        for one in value.values():
            if isinstance(one, dict | list):
                yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def patient_of(resource: dict[str, Any]) -> str | None:
    """Return the reference to the patient of *resource*; None if there is none."""
    for key in ("subject", "patient", "for", "beneficiary"):
        for reference in references(resource.get(key)):
            return reference
    return None


def stated(resource: dict[str, Any]) -> Known:
    """Return what *resource* itself says about people."""
    gathered = Gathered()
    _gather(resource, "", gathered)
    return gathered.known()


def _gather(element: dict[str, Any], key: str, gathered: Gathered) -> None:
    _person(element, key, gathered)
    if isinstance(element.get("linkId"), str):
        _answers(element, gathered)
    for name, value in element.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                _gather(one, name, gathered)
            elif isinstance(one, str):
                _string(element, name, one, gathered)


def _answers(item: dict[str, Any], gathered: Gathered) -> None:
    """Add the answers to a question about a person in a QuestionnaireResponse."""
    question = f"{item['linkId']} {item.get('text', '')}"
    for answer in _dicts(item.get("answer")):
        if isinstance(day := answer.get("valueDate"), str) and _ABOUT_BIRTH.search(question):
            gathered.birth(parsed_day(day))
        if isinstance(text := answer.get("valueString"), str) and _ABOUT_NAME.search(question):
            gathered.name(text)


def _string(element: dict[str, Any], key: str, value: str, gathered: Gathered) -> None:
    kind = element.get("resourceType")
    if key in ("family", "given", "authorString", "informant", "recordedBy"):
        gathered.name(value)
    elif key == "birthDate":
        gathered.birth(parsed_day(value) if len(value) >= 10 else None)
    elif key == "name" and kind == "Organization":
        gathered.value(value if " " in value else None, "place")
    elif key in ("subscriberId", "policyHolder", "dependent"):
        gathered.value(value, "plan")
    elif key in ("serialNumber", "lotNumber", "deviceIdentifier", "carrierHRF", "distinctIdentifier"):
        gathered.value(value, "device")


def _person(element: dict[str, Any], key: str, gathered: Gathered) -> None:
    if key == "name" and isinstance(element.get("text"), str):
        gathered.name(element["text"])
    elif key == "address":
        _address(element, gathered)
    elif key == "telecom" and isinstance(element.get("value"), str):
        gathered.value(element["value"], _TELECOM.get(str(element.get("system")), "phone"))
    elif key.casefold().endswith("identifier") and isinstance(element.get("value"), str):
        gathered.value(element["value"], _identifier_kind(element))
    elif key in _PERSON_KEYS and isinstance(element.get("display"), str) and "code" not in element:
        _displayed(element, key, gathered)


def _displayed(element: dict[str, Any], key: str, gathered: Gathered) -> None:
    """Add the words that a reference shows: the name of a person, or of an organization."""
    target = str(element.get("reference") or element.get("type") or "")
    if key in _ORGANIZATIONS or re.match(r"(?:.*/)?(?:Organization|Location)\b", target):
        name = element["display"]
        gathered.value(name if " " in name.strip() else None, "place")
    elif not re.match(r"(?:.*/)?(?:Group|Device|Substance|Specimen|CareTeam|HealthcareService|Medication)\b", target):
        gathered.name(element["display"])


def _address(element: dict[str, Any], gathered: Gathered) -> None:
    lines = element.get("line")
    fields: Iterable[Any] = [
        *(lines if isinstance(lines, list) else []),
        *(element.get(name) for name in ("city", "district", "postalCode", "text")),
    ]
    for value in fields:
        if isinstance(value, str):
            gathered.value(value, "place")


def _identifier_kind(element: dict[str, Any]) -> str:
    kind = element.get("type")
    codings = kind.get("coding") if isinstance(kind, dict) else None
    for coding in codings if isinstance(codings, list) else []:
        if isinstance(coding, dict) and coding.get("code") in _KINDS:
            return _KINDS[coding["code"]]
    system = str(element.get("system") or "").casefold()
    if "us-ssn" in system or "ssn" in system:
        return "ssn"
    return "license" if "npi" in system else "mrn" if "mrn" in system else "id"
