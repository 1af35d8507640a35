"""Words that announce the name of a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from corpusmill.schemas.deidentification.patterns import compiled

TITLES: Final = "titles"
LABELS: Final = "labels"
STRICT: Final = "strict"
RELATIVES: Final = "relatives"

_NAME: Final = r"(?=[A-ZÀ-ÖØ-Þ])"
_TITLE: Final = compiled(
    rf"(?<![\w])(?i:dr|drs|mr|mrs|ms|miss|mx|prof|professor|doctor|rev|reverend|sgt|capt|sra|señora?|judge"
    rf"|officer|attorney|rabbi|fr"
    rf"|pastor|nurse|monsieur|madame|herr|frau|dra)\b\.?\s+{_NAME}"
)
_LABEL_WORDS: Final = (
    r"(?:patient|pt|full|first|last|middle|maiden|preferred|family|legal|given)(?:'s)?\s+name|surname"
    r"|attending(?:\s+(?:physician|md|provider|surgeon))?"
    r"|(?:referring|ordering|primary(?:\s+care)?|consulting|admitting|treating|responsible|supervising"
    r"|performing)\s+(?:physician|provider|md|doctor|clinician|surgeon)"
    r"|pcp|surgeon|(?:first\s+)?assistant|anesthesiologist|radiologist|pathologist|resident|fellow|cardiologist"
    r"|oncologist|psychiatrist|psychologist"
    r"|(?:electronically\s+)?(?:signed|authenticated|verified|approved|finalized|attested|dictated|transcribed"
    r"|entered|documented|recorded|reviewed|interpreted|read|performed"
    r"|ordered|reported|seen|examined|written|prepared|completed|collected|authored|administered|scribed"
    r"|witnessed|validated|updated|cosigned|co-signed)(?:\s+electronically)?\s+by"
    r"|emergency\s+contact|next\s+of\s+kin|nok|attn|attention|author|provider|physician|clinician|interpreter"
    r"|case\s+manager|social\s+worker"
    r"|(?:physical|occupational|speech|respiratory)?\s*therapist|caregiver|hcp|health\s*care\s+proxy|proxy|poa"
    r"|power\s+of\s+attorney|signature|scribe|technologist|technician|tech"
    r"|nurse|rn|responsible\s+party|guarantor|subscriber|insured|policy\s*holder|employer|legal\s+guardian|donor"
    r"|recipient|witness|informant|historian"
)
_STRICT_WORDS: Final = (
    r"patient|pt|name|re|mother|father|spouse|wife|husband|son|daughter|guardian|contact|from"
    r"|to|cc|brother|sister|partner|friend|neighbor|subject|client"
)
_BY: Final = (
    r"(?:signed|authenticated|verified|dictated|transcribed|interpreted|reviewed|witnessed|scribed|cosigned"
    r"|authored|attested)"
    r"(?:\s+electronically)?\s+by"
)
_LABELS: Final = compiled(
    rf"(?<![\w-])(?i:{_LABEL_WORDS})\s*(?:\([^)\n]{{1,20}}\)\s*)?[:=][ \t]*\n?[ \t]*(?i:dr\.?\s+)?{_NAME}"
)
_BY_LABELS: Final = compiled(rf"(?<![\w-])(?i:{_BY})\s+(?i:dr\.?\s+)?{_NAME}")
_STRICT_LABELS: Final = compiled(rf"(?<![\w-])(?i:{_STRICT_WORDS})\s*(?:\([^)\n]{{1,20}}\)\s*)?:[ \t]*{_NAME}")
_RELATIVE: Final = compiled(
    r"(?<![\w-])(?:(?i:wife|husband|spouse|partner|son|daughter|mother|father|brother|sister|aunt|uncle|niece"
    r"|nephew|grand(?:son|daughter|mother|father|child)"
    r"|friend|neighbor|caregiver|roommate|guardian|fiancée?|girlfriend|boyfriend|cousin|stepson|stepdaughter"
    r"|stepmother|stepfather|twin|mom|dad|widow"
    rf"|son-in-law|daughter-in-law|sister-in-law|brother-in-law|colleague|supervisor|boss|coworker|sibling"
    rf"|teacher|landlord))(?:,? (?:is |named |called |whose name is )?| \(|: |, named ){_NAME}"
)
_NAMED: Final = compiled(
    rf"(?<![\w-])(?i:named|name\s+is|known\s+as|a/?k/?a|née|nee|goes\s+by|addressed\s+as|dear|introduced\s+as"
    rf"|spoke\s+(?:with|to)|discussed\s+with|paged|per"
    rf"|signed|seeing|saw|met(?:\s+with)?|examined|evaluated|visited\s+by|spoken\s+with|conference\s+with"
    rf"|on\s+behalf\s+of"
    r"|referral\s+of|regarding|concerning|about|that|brought\s+(?:in\s+)?by|assisted|helped"
    r"|under\s+the\s+care\s+of|consulted|consult(?:ation)?\s+(?:with|by)"
    rf"|patient|pt|for|by|with|from|to|told|informed|notified|accompanied\s+by|handed\s+off\s+to"
    rf"|report\s+(?:given|called)\s+to|care\s+of|c/o|attorney|employed\s+(?:by|at)|works\s+(?:for|at))\s+{_NAME}"
)
_CLOSING: Final = compiled(
    r"(?i:\b(?:sincerely|regards|respectfully(?:\s+(?:yours|submitted))?|yours\s+(?:truly|sincerely)|cordially"
    r"|thank\s+you|thanks|best\s+wishes|warmly|signed|kind\s+regards))"
    rf",?[ \t]*\n\s*(?i:dr\.?\s+)?{_NAME}"
)
_SURE_NAMED: Final = compiled(r"(?i:named|is|as|aka|a/k/a|née|nee|dear|goes\s+by|accompanied\s+by)\s+\Z")
_SUBJECT: Final = compiled(
    r"(?:\A|(?<=\s))(?P<name>[A-Z][\w'’-]+(?:\s+[A-Z]\.?)?\s+[A-Z][\w'’-]+)"
    r"(?=\s+(?:reports?|denies|denied|was|is|has|had|presents?|presented|states?|stated|complains|tolerated"
    r"|underwent|feels|slept|continues"
    r"|remains|returned?s?|came|called|arrived|lives|works|will|appears|says|said|requests|wants|needs|refused"
    r"|agreed|asked)\b)"
)
CREDENTIALS: Final = compiled(
    r"(?:,\s*|\s+)(?:M\.?D\.?|D\.O\.|R\.?N\.?|N\.?P\.?|PA-C|Ph\.?D\.?|LPN|CRNA|DDS|DMD|DPM|PharmD|Pharm\.D\.|MSW"
    r"|LCSW|LICSW|APRN|ARNP|FNP(?:-[A-Z]+)?|DNP|CNM|MBBS|MPH|FACS|FACC|Esq"
    r"|BSN|MSN|CNA|CMA|RRT|OTR/L|DPT|CCC-SLP|RDN|LVN)\b\.?"
    r"|,\s*(?:PT|OT|RT|RD|PA|DO|MA|NP|Jr|Sr|II|III|IV)\b\.?"
)
INTRODUCED: Final = compiled(
    r"(?P<name>(?:(?<=\A)|(?<=[.\n:]\s)|(?<=[.\n:])|(?<=\bis\s)|(?<=see\s)"
    r"|(?<=of\s))[A-Z][\w'’-]+(?:\s+[A-Z]\.?)?(?:\s+[A-Z][\w'’-]+){0,2})"
    r"(?:,|\s+is|\s+was)?\s+(?:is\s+|was\s+)?(?:an?|the|our)\s+(?:very\s+|pleasant\s+|previously\s+healthy\s+"
    r"|right-handed\s+){0,2}"
    r"(?:\d{1,3}|[a-z]+(?:-[a-z]+)?)[-\s]*(?:year|yo\b|y/o|yr|month|week|day)"
)


def cue_ends(text: str) -> Iterator[tuple[int, str]]:
    """Yield the places of *text* at which a name is announced, and how surely.

    `TITLES` and `LABELS` announce a name; after `STRICT` labels and `RELATIVES` other words are as likely.
    """
    yield from ((match.end(), TITLES) for match in _TITLE.finditer(text))
    for pattern in (_LABELS, _BY_LABELS, _CLOSING):
        yield from ((match.end(), LABELS) for match in pattern.finditer(text))
    yield from ((match.end(), STRICT) for match in _STRICT_LABELS.finditer(text))
    yield from ((match.end(), RELATIVES) for match in _RELATIVE.finditer(text))
    yield from ((match.start("name"), STRICT) for match in _SUBJECT.finditer(text))
    for match in _NAMED.finditer(text):
        yield match.end(), LABELS if _SURE_NAMED.search(match[0]) else STRICT
