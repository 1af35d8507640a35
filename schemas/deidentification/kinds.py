"""The 18 kinds of identifiers of HIPAA's Safe Harbor rule, 45 CFR 164.514(b)(2)(i)."""

from __future__ import annotations

from typing import Final, NamedTuple


class Kind(NamedTuple):
    """One kind of the rule.

    Args:
        letter: Its letter in the rule.
        title: What the rule calls it, shortened.
        treatment: What happens to it in a text, or why it is refused.
        is_covered: False: a text cannot hold it, and a recipe that names it is refused.
    """

    letter: str
    title: str
    treatment: str
    is_covered: bool = True


SAFE_HARBOR: Final = {
    "name": Kind("A", "names", "`<NAME>`, also of relatives, employers and staff"),
    "place": Kind(
        "B",
        "places smaller than a state",
        "`<PLACE>`; the first three digits of a ZIP code stay, or `000` for small areas",
    ),
    "date": Kind("C", "dates except the year, and ages over 89", "the year, or a shifted date; `90 or older`"),
    "phone": Kind("D", "telephone numbers", "`<PHONE>`"),
    "fax": Kind("E", "fax numbers", "`<FAX>`"),
    "email": Kind("F", "e-mail addresses", "`<EMAIL>`"),
    "ssn": Kind("G", "social security numbers", "`<SSN>`"),
    "mrn": Kind("H", "medical record numbers", "`<MRN>`"),
    "plan": Kind("I", "health plan beneficiary numbers", "`<PLAN>`"),
    "account": Kind("J", "account numbers", "`<ACCOUNT>`"),
    "license": Kind("K", "certificate and license numbers", "`<LICENSE>`"),
    "vehicle": Kind("L", "vehicle identifiers and plates", "`<VEHICLE>`"),
    "device": Kind("M", "device identifiers and serial numbers", "`<DEVICE>`"),
    "url": Kind("N", "web addresses", "`<URL>`"),
    "ip": Kind("O", "IP addresses", "`<IP>`"),
    "biometric": Kind(
        "P", "biometric identifiers", "refused: not in a text; binary data is never read", is_covered=False
    ),
    "photo": Kind("Q", "full-face photographs", "refused: not in a text; images are never read", is_covered=False),
    "id": Kind("R", "other identifying numbers and codes", "`<ID>`"),
}
"""Kinds by the name that a recipe and the signals use."""
KINDS: Final = tuple(name for name, kind in SAFE_HARBOR.items() if kind.is_covered)
NUMBERED: Final = frozenset(("ssn", "mrn", "plan", "account", "license", "vehicle", "device", "id"))
"""Kinds that `ids: pseudonym` replaces with a pseudonym."""


def placeholder(kind: str) -> str:
    """Return the text that replaces an identifier of *kind*.

    >>> placeholder("mrn")
    '<MRN>'
    """
    return f"<{kind.upper()}>"
