"""Metadata of a row as identifiers: what its fields say about people, by the names of the fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Final

from corpusmill.schemas.deidentification.known import Gathered, Known

_KINDS: Final = (
    ("birth", r"dob|birth|date_?of_?birth"),
    ("email", r"e_?mail"),
    ("fax", r"fax"),
    ("phone", r"phone|tel|mobile|cell|pager"),
    ("ssn", r"ssn|social_?security"),
    ("plan", r"insurance|policy|member|subscriber|beneficiary|plan|medicare|medicaid|payer|payor"),
    ("account", r"account|acct|billing"),
    ("license", r"license|licence|npi|dea|passport|certificate"),
    ("device", r"device|serial|udi|implant"),
    ("vehicle", r"vehicle|vin|plate"),
    ("url", r"url|website|link"),
    ("ip", r"ip|ip_?address"),
    ("place", r"address|street|city|town|county|zip|postal(?:_?code)?|hospital|facility|clinic"),
    ("mrn", r"mrn|medical_?record|patient_?(?:id|no|num|number)|subject_?id|chart|hadm_?id|person_?id"),
    (
        "name",
        r"name|first|last|surname|given|family|physician|doctor|provider|author|attending|nurse|clinician|contact|employer|guardian|patient|spouse|mother|father",
    ),
    ("id", r"id|identifier|accession|encounter_?id|visit_?id|uuid"),
)
_PATTERNS: Final = tuple((kind, re.compile(rf"(?:^|_)(?:{words})s?(?:_|$)")) for kind, words in _KINDS)
_NO_IDENTIFIER: Final = re.compile(
    r"(?:^|_)(?:type|role|specialty|status|count|gender|kind|category|class|course|date|time|drug|test)(?:_|$)"
)
"""Fields about people or records that hold no identifier: `provider_type`."""
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_]+")
_DATE: Final = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)|(\d\d?)/(\d\d?)/(\d{4})")


def kind_of(field: str) -> str | None:
    """Return the kind of identifier that a field with this name holds; None if the name says nothing.

    >>> [kind_of(name) for name in ("patientName", "Date of Birth", "zip_code", "specialty", "MRN")]
    ['name', 'birth', 'place', None, 'mrn']
    """
    words = "_".join(filter(None, _CAMEL.split(field))).casefold()
    if "birth" not in words and _NO_IDENTIFIER.search(words):
        return None
    return next((kind for kind, pattern in _PATTERNS if pattern.search(words)), None)


def known_from(metadata: Mapping[str, str], *, identifiers: tuple[str, ...] = ()) -> Known:
    """Return what *metadata* says about people: the fields whose names tell their kind, and those in *identifiers*."""
    gathered = Gathered()
    for field, value in metadata.items():
        kind = kind_of(field)
        if kind == "birth":
            gathered.birth(_birth(value))
        elif kind == "name" or (kind in (None, "id") and field in identifiers):
            gathered.name(value)
            gathered.value(value, "id") if field in identifiers else None
        elif kind is not None:
            gathered.value(value, kind)
    return gathered.known()


def _birth(value: str) -> date | None:
    match = _DATE.search(value)
    if match is None:
        return None
    year, month, day = (match[1], match[2], match[3]) if match[1] else (match[6], match[4], match[5])
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
