"""Identifying numbers: after a word that says what they are, by a form of their own, or because they are long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from corpusmill.schemas.deidentification.patterns import compiled, first_words, matches_at
from corpusmill.schemas.deidentification.spans import Span
from corpusmill.schemas.personal_data.card import CARD

_VALUE: Final = (
    r"(?P<v{n}>(?=[A-Z0-9*./ -]{{0,12}}\d)[A-Z0-9*][A-Z0-9*]*(?:[-./ ](?=[A-Z0-9]*\d|[A-Z]{{1,4}}-\d)[A-Z0-9]+)*"
    r"(?:-[A-Z]{{1,3}}\b)?)"
)
_LINK: Final = (
    r"(?:\s*(?:number|num|no\.|no\b|nr\b\.?|#|id\b|code\b)){0,2}(?:\s*\((?:MRN|ID|VIN|S/N)\))?"
    r"(?:\s*(?:is|was|of|ending in|=)\b)?\s*[:#=(]?\s*"
)
_CUES: Final = (
    (
        "ssn",
        r"ssn|ss\s?#|social\s+security(?:\s+(?:number|no\.?))?|soc\.?\s+sec\.?|last four of (?:the )?(?:ssn|social)",
        4,
    ),
    (
        "mrn",
        r"mrn|mr\s?#|m\.r\.n\.|medical\s+record(?:s)?(?:\s+(?:number|no\.?))?|chart\s*(?:number|no\.?|\#)"
        r"|hospital\s+(?:number|no\.?|id)"
        r"|unit\s+(?:number|no\.?)|patient\s*(?:id|number|no\.?|\#|identifier)|pt\.?\s*(?:id|\#)|uhid"
        r"|nhs(?:\s+(?:number|no\.?))?|empi|record\s+(?:number|no\.?)",
        4,
    ),
    (
        "plan",
        r"member(?:ship)?\s*(?:id|number|no\.?|\#)|policy(?:\s+holder)?\s*(?:id|number|no\.?|\#)?"
        r"|subscriber\s*(?:id|number|no\.?|\#)?"
        r"|beneficiary\s*(?:id|number|no\.?|\#)?|group\s*(?:id|number|no\.?|\#)|insurance\s*(?:id|number|no\.?"
        r"|\#)|(?:health\s+)?plan\s*(?:id|number|no\.?|\#)"
        r"|medicare(?:\s*(?:id|number|no\.?|\#))?|medicaid(?:\s*(?:id|number|no\.?|\#))?|hicn?|mbi",
        5,
    ),
    (
        "account",
        r"account\s*(?:id|number|no\.?|\#)?|acct\.?\s*(?:number|no\.?|\#)?|billing\s*(?:id|number|no\.?|\#)"
        r"|bank\s+account|iban|routing\s*(?:number|no\.?|\#)?"
        r"|(?:credit|debit)\s+card|invoice\s*(?:number|no\.?|\#)|guarantor\s*(?:id|number|no\.?|\#)",
        4,
    ),
    (
        "license",
        r"(?:driver'?s?|medical|nursing|state)?\s*(?:license|licence)(?:\s+plate)?\s*(?:id|number|no\.?|\#)?"
        r"|lic\.?\s*(?:number|no\.?|\#)"
        r"|certificate\s*(?:id|number|no\.?|\#)?|cert\.?\s*(?:number|no\.?|\#)|dea(?:\s*(?:number|no\.?|\#))?"
        r"|npi|upin|passport|registration\s*(?:id|number|no\.?|\#)|dl\s?\#",
        4,
    ),
    (
        "vehicle",
        r"vin|vehicle\s+(?:identification|id)(?:\s+(?:number|no\.?))?|(?:license|number|registration)\s+plate"
        r"|plates?|tag\s*(?:number|no\.?|\#)",
        4,
    ),
    (
        "device",
        r"serial\s*(?:number|no\.?|\#)?|s/n|sn|device\s*(?:id|identifier|number|no\.?|serial|\#)|udi"
        r"|lot\s*(?:number|no\.?|\#)?"
        r"|model\s*(?:number|no\.?|\#)|implant\s*(?:id|number|no\.?|\#)|imei|ref\s*\#",
        4,
    ),
    (
        "id",
        r"accession\s*(?:id|number|no\.?|\#)?|(?:case|specimen|order|encounter|visit|report|confirmation|claim"
        r"|reference|ref|tracking|study|document"
        r"|employee|badge|student|requisition|prescription|rx|script|referral|authorization|auth|donor|sample"
        r"|ticket|contract|member|transaction|csn|fin|barcode|military|dod|veteran|crn|job|warrant|docket|badge)"
        r"\s*(?:id|identifier|number|no\.?|\#)|\bids?\b|csn|fin|accession|edipi|badge|docket|job",
        4,
    ),
)
_CUED: Final = tuple(
    (
        kind,
        compiled(rf"(?<![\w-])(?:{cue})(?![A-Za-z]){_LINK}{_VALUE.format(n='')}(?![\w%])", re.IGNORECASE),
        least,
        first_words(cue),
    )
    for kind, cue, least in _CUES
)
_NEEDS_DIGITS: Final = 3
_SSN: Final = compiled(r"(?=[\d*xX])(?<![\w.-])(?:\d{3}-\d{2}-\d{4}|[*xX]{3}-[*xX]{2}-\d{4})(?![\w-]|\.\d)")
_VIN: Final = compiled(r"(?=[A-Z0-9]{17})(?<![\w-])(?=[A-Z]*\d)(?=\d*[A-Z])[A-HJ-NPR-Z0-9]{17}(?![\w-])")
_MBI: Final = compiled(
    r"(?=\d)(?<![\w-])[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d\d(?![\w-])"
)
_UDI: Final = compiled(r"\(01\)\d{14}(?:\(\d\d\)[\w-]+)*")
_LONG: Final = compiled(
    r"(?=[A-Z\d#])(?<![\w.,/+-])(?:[A-Z]{1,4}-?)?\d{7,}(?:-\d{1,4})?(?![\w/]|[.,]\d|-\d)|(?<![\w.-])(?:[A-Z]{1,3}-?\d{2}-\d{4,}|[A-Z]{1,2}\d{6}|\d{2,4}-[A-Z]{1,4}-\d{3,6})(?![\w-])"
    r"|(?<![\w.])\#\d{6,9}(?![\w-])"
)
_MRN_FORM: Final = compiled(
    r"(?=\d)(?<![\w.-])\d{2,3}-\d{2}-\d{2,3}(?![\w-]|[./]\d)|(?<![\w.-])\d{3}-\d{3}-\d{3}(?![\w-]|\.\d)"
)
_CODED: Final = compiled(
    r"(?i:\b(?:snomed(?:[- ]?ct)?|sct|loinc|icd(?:-?\d+)?(?:-cm)?|ndc|rxnorm|rxcui|cpt|hcpcs|pmid|pubmed|doi|nct"
    r"|omim|hgnc|cas|unii|mesh|umls|cui)\b"
    r"(?:\s*(?:id|codes?|number|no\.?|\#|ct))?[\s:(#]*)\Z"
)
_UNIT: Final = compiled(r"\s*(?i:copies|iu\b|units?\b|cells|/(?=\w)|cfu|per\b|virions|ml\b|mg\b|platelets|colonies|%)")
_PUBLIC: Final = compiled(r"(?:NCT|PMC|PMID|CD(?=\d{1,3}\Z)|HLA|RS|SCT|MONDO|HP|GO|OMIM)-?\d", re.IGNORECASE)


def own_form_spans(text: str) -> Iterator[Span]:
    """Yield the numbers whose form says what they are: social security, cards, vehicles, Medicare and device ids.

    >>> [span.kind for span in own_form_spans("123-45-6789 and 1HGCM82633A004352, BP 120/80")]
    ['ssn', 'vehicle']
    """
    yield from (Span(*match.span(), "ssn") for match in _SSN.finditer(text))
    yield from (Span(*match.span(), "account") for match in CARD.pattern.finditer(text) if CARD.is_personal(match))
    yield from (Span(*match.span(), "vehicle") for match in _VIN.finditer(text) if _has_digits(match[0]))
    yield from (Span(*match.span(), "plan") for match in _MBI.finditer(text))
    yield from (Span(*match.span(), "device") for match in _UDI.finditer(text))


def cued_spans(text: str) -> Iterator[Span]:
    """Yield the numbers after a word that says what they are.

    >>> text = "MRN: 00-123 456; policy ABC12345; plate 7KLM214; case 3 of 5; account of pain"
    >>> [(span.kind, text[span.start : span.end]) for span in cued_spans(text)]
    [('mrn', '00-123 456'), ('plan', 'ABC12345'), ('vehicle', '7KLM214')]
    """
    for kind, pattern, least, cues in _CUED:
        for match in matches_at(pattern, text, cues):
            value = match["v"].rstrip(" -./")
            signs = sum(map(str.isalnum, value))
            if (
                signs < least
                or sum(map(str.isdigit, value)) < _NEEDS_DIGITS
                or _is_a_measure(text, value, match.end("v"))
            ):
                continue
            start = match.start("v")
            yield Span(start, start + len(value), "vehicle" if _is_plate(match[0]) else kind)


def long_spans(text: str) -> Iterator[Span]:
    """Yield long numbers that nothing explains. Codes of public vocabularies and measured values are none.

    >>> text = "00482913 seen; SNOMED 44054006; viral load 1250000 copies/mL; NCT01234567"
    >>> [text[span.start : span.end] for span in long_spans(text)]
    ['00482913']
    """
    for match in _LONG.finditer(text):
        before = text[max(0, match.start() - 30) : match.start()]
        if not (_CODED.search(before) or _UNIT.match(text, match.end()) or _PUBLIC.match(match[0])):
            yield Span(*match.span(), "id")
    for match in _MRN_FORM.finditer(text):
        if not _CODED.search(text[max(0, match.start() - 30) : match.start()]):
            yield Span(*match.span(), "id")


def _is_plate(match: str) -> bool:
    return "plate" in match.casefold()


def _is_a_measure(text: str, value: str, end: int) -> bool:
    return value.isdigit() and _UNIT.match(text, end) is not None and text[end : end + 1] != "/"


def _has_digits(value: str) -> bool:
    return sum(map(str.isdigit, value)) >= _NEEDS_DIGITS and any(map(str.isalpha, value))
