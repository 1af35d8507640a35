"""Places smaller than a state: street addresses, cities, ZIP codes, and names of hospitals and schools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from corpusmill.schemas.deidentification.lexicon import lexicon
from corpusmill.schemas.deidentification.patterns import compiled, matches_at, word_starts
from corpusmill.schemas.deidentification.spans import Span

SMALL_AREAS: Final = frozenset("036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893".split())
"""Areas of three digits with at most 20,000 people in the census of 2000 (guidance of the Office for Civil Rights)."""
_STATES: Final = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho"
    "|Illinois|Indiana"
    "|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri"
    "|Montana|Nebraska"
    "|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania"
    "|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia"
    "|Wisconsin|Wyoming"
)
_CODES: Final = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK"
    "|OR|PA|RI"
    "|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|PR"
)
_CLEAR_CODES: Final = (
    "AZ|AR|CA|CT|FL|GA|IL|IA|KS|KY|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|RI|SC|SD|TN|TX|UT|VA|WA|WV|WI|WY|DC"
)
"""Codes that are no credential, word or unit after a comma: "Smith, MD" and "stable, OK" are no places."""
_SUFFIX: Final = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Circle|Cir|Way|Place|Pl|Terrace"
    r"|Ter|Highway"
    r"|Hwy|Parkway|Pkwy|Trail|Trl|Square|Sq|Loop|Alley|Crescent|Route|Rte|Pike|Close|Turnpike|Plaza)"
)
_STOPPED: Final = (
    r"(?!(?i:with|and|by|of|the|for|was|is|per|to|mg|ml|mcg|units?|hours?|days?|weeks?|patient|pt"
    r"|at|in|on|from|seen|who|am|pm)\b)"
)
_UNIT: Final = r"(?:,?\s*(?:(?i:apt|apartment|unit|suite|ste|floor|fl|lot|trailer|bldg|rm)\b\.?\s*#?\s*|#\s*)[\w-]+)?"
_STREET: Final = compiled(
    rf"(?=[\dPp])(?:(?<![\w./-])\d{{1,6}}(?:-\d+)?[A-Z]?[ \t]+(?:[NSEW]{{1,2}}\.?[ \t]+|(?i:north|south|east"
    rf"|west)[ \t]+)?"
    rf"(?:{_STOPPED}(?:[A-Z0-9][\w'’.-]*)[ \t]+){{1,4}}?(?:{_SUFFIX}|(?i:{_SUFFIX})(?=[,.\n]|\s*\Z|[ \t]+(?i:apt"
    rf"|unit|suite|#)))\b(?![ \t]+[A-Z][a-z]+[ \t]+(?:said|saw))"
    rf"\.?(?:[ \t]+(?:[NSEW]{{1,2}}|North|South|East|West)\b)?{_UNIT}"
    rf"|\b\d{{1,6}}[ \t]+(?:Highway|Hwy|Route|County Road|State Road|US)[ \t]+\d+[A-Z]?\b"
    rf"|\b[Pp]\.?\s?[Oo]\.?[ \t]+(?:[Bb]ox|BOX)[ \t]+\d+"
    rf"|(?<![\w./-])\d{{1,6}}[ \t]+(?:Broadway|BROADWAY|Avenue[ \t]+of[ \t]+[A-Z]\w+(?:[ \t]+[A-Z]\w+)?){_UNIT})"
)
_CITY: Final = (
    r"(?:(?:St|Ste|Mt|Ft)\.[ ])?[A-Z][\w'’.-]*[a-zA-Z](?:[ ](?:(?:St|Ste|Mt|Ft)\.[ ]|(?:du|de|la|del|des|of)[ ]"
    r"|[ds]['’])?"
    r"[A-Z][\w'’.-]*[a-zA-Z]){0,2}"
)
_AFTER_STREET: Final = compiled(
    rf"(?:,?\s+in\s+|,\s*|[ \t]*\n[ \t]*)(?P<city>{_CITY})(?=[,.;)\n]|\s+(?:{_CODES})\b|\s+[a-z]|\Z)"
)
_CODE: Final = compiled(r"(?=\d)(?<![\w-])\d{5}(?:-\d{4})?(?![\w-]|\.\d)")
_STATE_BEFORE: Final = compiled(rf"(?:,?\s+|,|\b)(?:{_CODES}|{_STATES})\.?,?\s+\Z")
_LONGEST_STATE: Final = 24
_STATE: Final = compiled(rf",\s+(?:{_STATES}|(?!CT[ ])(?:{_CLEAR_CODES})\b)")
_CITY_BEFORE: Final = compiled(rf"\b(?P<city>{_CITY})\Z")
_LONGEST_CITY: Final = 60
_ROMANCE: Final = compiled(
    r"\b(?:in|to|from|of|at|near)[ ](?P<city>[A-Z][\w'’-]+[ ](?:du|de|de[ ]la|des|del|sur)[ ][A-Z][\w'’-]+)"
)
"""A place with a word of French or Spanish inside, as in `Fond du Lac`."""
_HOME_WORDS: Final = frozenset(
    "live lives living resides residing resident moved born native travel traveled travelled travels originally hails"
    " home visiting flew trip returned grew relocated relocating transferred work works outside".split()
)
_FACILITY_WORDS: Final = frozenset(
    "hospital medical clinic health healthcare nursing hospice infirmary rehabilitation rehab university college"
    " school church manor care cancer surgery village laboratories pharmacy".split()
)
_ZIP: Final = compiled(r"\b(?i:zip(?:\s*code)?|postal\s+code)\s*(?:is|of)?[:\s#]*(?P<zip>\d{5}(?:-\d{4})?)(?![\w-])")
_POSTCODE: Final = compiled(r"(?<![\w.-])[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]?\s\d[ABD-HJLNP-UW-Z]{2}(?![\w-])")
_HOME: Final = compiled(
    r"(?i:\b(?:lives?\s+(?:alone\s+)?in|living\s+in|resid(?:es|ing|ent)\s+(?:in|of|at)"
    r"|moved\s+(?:here\s+)?(?:from|to)|born\s+in|native\s+of"
    r"|travel(?:l?ed|s)?\s+(?:to|from)|originally\s+from|hails\s+from|home\s+in|visiting\s+(?:from\s+)?"
    r"|flew\s+(?:in\s+)?(?:to|from)"
    r"|trip\s+to|returned\s+from|grew\s+up\s+in|relocat(?:ed|ing)\s+(?:to|from)|transferred\s+from|works?\s+in"
    r"|outside(?:\s+of)?)\s+(?:the\s+)?)"
    rf"(?P<city>{_CITY})"
)
_KEPT: Final = compiled(
    rf"(?:{_STATES}|America|United States|USA|US|U\.S\.?|Mexico|Canada|England|Ireland|Germany|France|Italy"
    rf"|Spain|China|India|Japan|Europe"
    r"|Africa|Asia|Assisted|Skilled|Nursing|ICU|ED|ER|OSH|PACU|SNF|NICU|MICU|SICU|CCU|OR|Rehab|Emergency|Mr|Mrs"
    r"|Ms|Dr|A|An|The|Puerto Rico|[A-Z]{1,4})\b"
)
_FACILITY: Final = compiled(
    r"\b(?P<first>(?:(?:St|Mt|Ft)\.[ \t]+)?[A-Z][\w'’-]+(?:[ \t]+(?:(?:of|the|and|&)[ \t]+){0,2}(?:(?:St|Mt"
    r"|Ft)\.[ \t]+)?[A-Z][\w'’-]+){0,4}?)[ \t]+"
    r"(?:Hospital|HOSPITAL|Medical[ \t]+Cent(?:er|re)|MEDICAL[ \t]+CENTER|Clinic|CLINIC|Health[ \t]+(?:Cent(?:er"
    r"|re)|System)|Healthcare|Nursing[ \t]+(?:Home|Facility)"
    r"|Hospice|Infirmary|Medical[ \t]+(?:Group|Associates|Associates)|Rehabilitation[ \t]+Cent(?:er|re)|Rehab"
    r"|University|College"
    r"|(?:High|Elementary|Middle)[ \t]+School|School|Church|Manor|Care[ \t]+Cent(?:er|re)|Cancer[ \t]+Cent(?:er"
    r"|re)|Surgery[ \t]+Cent(?:er|re)|Village|Laboratories|Pharmacy)\b"
)
_GENERIC: Final = frozenset(
    "the this that our your his her their at in to from of and for a an new local community general primary care"
    " family pediatric pediatrics outpatient inpatient walk-in urgent emergency memory pain wound cardiology neurology"
    " oncology urology surgery surgical medical medicine psychiatric psychiatry behavioral mental health eye dental"
    " women's womens men's children's childrens veterans dermatology orthopedic orthopaedic orthopedics"
    " gastroenterology gi endocrine endocrinology diabetes heart lung sleep stroke anticoagulation coumadin infusion"
    " dialysis renal nephrology hepatology liver transplant hematology rheumatology allergy ent gynecology obstetrics"
    " ob prenatal antenatal fertility hiv id infectious disease preoperative pre-op post-op postoperative follow-up"
    " device pacemaker rehabilitation rehab physical occupational speech therapy radiology imaging breast cancer"
    " vascular spine hand foot hip burn trauma outside referring another other nursing skilled home day regional"
    " county city state district acute long-term rural teaching tertiary patient mobile travel student employee"
    " occupational retail hospital course clinic hospice palliative during please after before admitted discharge"
    " discharged transfer transferred continue prior admission he she they we patient previous current plan follow"
    " follow-up return see seen mail-order specialty flu vaccine vaccination methadone suboxone smoking cessation"
    " nurse residential college university medical middle high elementary graduate".split()
)


def place_spans(text: str) -> Iterator[Span]:
    """Yield the places of *text*. States and countries stay.

    >>> text = "Lives at 14 N. Elm St, Apt 2, Peoria, IL 61602. Main complaint: 2 days of cough."
    >>> list(dict.fromkeys((text[span.start : span.end], span.replacement) for span in place_spans(text)))
    [('14 N. Elm St, Apt 2', None), ('Peoria', None), ('61602', '616')]
    """
    yield from _facilities(text)
    for match in _STREET.finditer(text):
        yield Span(*match.span(), "place")
        city = _AFTER_STREET.match(text, match.end())
        if city is not None and not _KEPT.match(city["city"]) and not _is_common(city["city"]):
            yield Span(*city.span("city"), "place")
    for code in _CODE.finditer(text):
        state = _STATE_BEFORE.search(text, max(0, code.start() - _LONGEST_STATE), code.start())
        if state is not None:
            city = _CITY_BEFORE.search(text, max(0, state.start() - _LONGEST_CITY), state.start())
            if city is not None:
                yield Span(*city.span("city"), "place")
            yield Span(*code.span(), "place", short_zip(code[0]))
    for state in _STATE.finditer(text):
        city = _CITY_BEFORE.search(text, max(0, state.start() - _LONGEST_CITY), state.start())
        if city is not None:
            yield Span(*city.span("city"), "place")
    yield from (Span(*match.span("city"), "place") for match in _ROMANCE.finditer(text))
    words = word_starts(text)
    if "zip" in words or "postal" in words:
        yield from (Span(*match.span("zip"), "place", short_zip(match["zip"])) for match in _ZIP.finditer(text))
    yield from (Span(*match.span(), "place") for match in _POSTCODE.finditer(text))
    for match in matches_at(_HOME, text, _HOME_WORDS):
        is_common = _is_common(match["city"]) and " " not in match["city"]
        if not _KEPT.match(match["city"]) and not is_common and not _has_excluded(match["city"]):
            yield Span(*match.span("city"), "place")


def _has_excluded(city: str) -> bool:
    """Return whether *city* has a word of hospitals and notes, as in `in Physical Therapy`."""
    return not lexicon().no_names.isdisjoint(city.casefold().split())


def _facilities(text: str) -> Iterator[Span]:
    for match in _FACILITY.finditer(text) if not word_starts(text).keys().isdisjoint(_FACILITY_WORDS) else ():
        words = list(re.finditer(r"[\w'’-]+", match["first"]))
        while words and words[0][0].casefold() in _GENERIC and [word[0] for word in words[:2]] != ["Our", "Lady"]:
            words = words[1:]
        if words and not all(word[0].casefold() in _GENERIC for word in words):
            yield Span(match.start() + words[0].start(), match.end(), "place")


def _is_common(city: str) -> bool:
    """Return whether all words of *city* are words that a text has in lower case."""
    lists = lexicon()
    return all(word in lists.common or word in lists.no_names for word in city.casefold().split())


def short_zip(code: str) -> str:
    """Return the three digits of a ZIP *code* that may stay: 000 for an area with few people.

    >>> short_zip("61602"), short_zip("03601-1234")
    ('616', '000')
    """
    return "000" if code[:3] in SMALL_AREAS else code[:3]
