"""Replace the identifiers of a text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial

from corpusmill.schemas.deidentification.ages import age_spans
from corpusmill.schemas.deidentification.contacts import contact_spans
from corpusmill.schemas.deidentification.dates import date_spans
from corpusmill.schemas.deidentification.kinds import KINDS, NUMBERED, placeholder
from corpusmill.schemas.deidentification.known import Known, value_spans
from corpusmill.schemas.deidentification.names import name_spans
from corpusmill.schemas.deidentification.numbers import cued_spans, long_spans, own_form_spans
from corpusmill.schemas.deidentification.options import Deidentification
from corpusmill.schemas.deidentification.places import place_spans
from corpusmill.schemas.deidentification.pseudonyms import pseudonym, shift_days
from corpusmill.schemas.deidentification.spans import Claims, Span, replaced

_PLACEHOLDERS = {kind: placeholder(kind) for kind in KINDS}
NOBODY = Known()


@dataclass(frozen=True)
class Treatment:
    """How identifiers of one patient are replaced.

    Args:
        kinds: The kinds to replace.
        shift_days: By how much dates move; None: they become their year.
        key: Key of the pseudonyms; None: numbers become placeholders.
    """

    kinds: frozenset[str] = frozenset(KINDS)
    shift_days: int | None = None
    key: bytes | None = None

    @classmethod
    def of(cls, options: Deidentification, *, patient: str) -> Treatment:
        """Return the treatment that *options* ask for; *patient* decides by how much dates move."""
        key = options.secret
        shift = shift_days(key, patient) if key is not None and options.dates == "shift" else None
        return cls(frozenset(options.kinds), shift, key if options.ids == "pseudonym" else None)


def deidentified(text: str, *, known: Known = NOBODY, treatment: Treatment | None = None) -> tuple[str, Counter[str]]:
    """Return *text* without identifiers, and their number by kind.

    >>> deidentified("Mrs. Weatherby, MRN 4482913, was seen on 3/5/2019; BP 120/80.")[0]
    'Mrs. <NAME>, MRN <MRN>, was seen on 2019; BP 120/80.'
    """
    treatment = treatment or Treatment()
    spans = identifier_spans(text, known=known, shift_days=treatment.shift_days)
    spans = [_treated(span, text, treatment) for span in spans if span.kind in treatment.kinds]
    return replaced(text, spans, placeholders=_PLACEHOLDERS)


def identifier_spans(text: str, *, known: Known = NOBODY, shift_days: int | None = None) -> list[Span]:
    """Return the identifiers of *text*, of all kinds."""
    claims = Claims(text)
    for find in (
        contact_spans,
        partial(date_spans, births=known.births, shift_days=shift_days),
        partial(value_spans, values=known.values),
        own_form_spans,
        cued_spans,
        age_spans,
        place_spans,
        partial(name_spans, known=known.names),
        long_spans,
    ):
        claims.add(find(text))
    return claims.spans


def _treated(span: Span, text: str, treatment: Treatment) -> Span:
    if treatment.key is None or span.kind not in NUMBERED or span.replacement is not None:
        return span
    name = pseudonym(treatment.key, span.kind, text[span.start : span.end])
    return span._replace(replacement=f"<{span.kind.upper()} {name}>")
