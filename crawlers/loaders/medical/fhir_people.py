"""The people of FHIR resources: who must not appear in notes, whose notes may not be used, and how both are found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

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
"""With at most this many people in a file, each note is searched for all of them."""
MAX_PEOPLE: Final = 2_000_000


@dataclass
class People:
    """The people of a file by the references to them, and the patients who deny or permit the use of their records."""

    _known: dict[str, Known] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    permitted: set[str] = field(default_factory=set)
    _everyone: Known | None = None

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
        own = names_of(resource, full_url)
        known = stated(resource)
        for ref in {*own, *([] if kind in ("PractitionerRole",) else owners)}:
            self._known[ref] = self._known[ref] | known if ref in self._known else known
        if len(self._known) > MAX_PEOPLE:
            raise DataError(
                f"the file describes more than {MAX_PEOPLE:,} people; split it by patient", kind="too_large"
            )

    def _add_consent(self, resource: dict[str, Any], owners: list[str]) -> None:
        if resource.get("status", "active") != "active":
            return
        (self.denied if is_denial(resource) else self.permitted).update(owners)

    def around(self, resource: dict[str, Any]) -> Known:
        """Return what is known about the people of *resource*: those that it names, and those whom they name."""
        known = stated(resource)
        if len(self._known) <= _ALL_OF_A_FILE:
            return known | self._all()
        for ref in set(references(resource)):
            if ref in self._known:
                known = known | self._known[ref]
        return known

    def _all(self) -> Known:
        if self._everyone is None:
            everyone = Known()
            for known in self._known.values():
                everyone = everyone | known
            self._everyone = everyone
        return self._everyone


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
    """Return the references that name *resource*."""
    own = [f"{resource['resourceType']}/{resource['id']}"] if isinstance(resource.get("id"), str) else []
    return [*own, *([short(full_url)] if full_url else [])]


def short(reference: str) -> str:
    """Return *reference* without the server and the version: `Patient/1`, `urn:uuid:…` or `#contained`.

    >>> short("https://example.org/fhir/Patient/1/_history/2"), short("urn:uuid:5")
    ('Patient/1', 'urn:uuid:5')
    """
    reference = reference.partition("/_history/")[0].partition("?")[0]
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
    for name, value in element.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                _gather(one, name, gathered)
            elif isinstance(one, str):
                _string(element, name, one, gathered)


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
