"""Reservations of text and data mining: headers, `<meta>`, and `/.well-known/tdmrep.json`.

Source: TDM Reservation Protocol, W3C Community Group Final Report, 10 May 2024,
https://www.w3.org/community/reports/tdmrep/CG-FINAL-tdmrep-20240510/.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from corpusmill.crawlers.optouts.paths import matches
from corpusmill.schemas.optouts import TDMREP, Signal, shown

RESERVATION: Final = "tdm-reservation"
POLICY: Final = "tdm-policy"
_MAX_RULES: Final = 10_000
_MAX_DEPTH: Final = 100


class Rule(NamedTuple):
    """An entry of the file: a pattern of paths, whether mining is reserved there, and the address of a policy."""

    location: str
    is_reserved: bool
    policy: str = ""


def page_signals(
    headers: tuple[Sequence[str], Sequence[str]], metas: tuple[Sequence[str], Sequence[str]]
) -> list[Signal]:
    """Return at most one signal, from the reservations and policies in *headers* and in *metas*.

    What the page says overrides the headers, and both override the file (section 5.4).

    >>> page_signals((["1"], ["https://example.org/terms"]), ([], []))[0].value
    '1, policy https://example.org/terms'
    """
    for (reservations, policies), place in ((metas, f"meta {RESERVATION}"), (headers, f"header {RESERVATION}")):
        stated = [value.strip() for value in reservations if value.strip() in ("0", "1")]
        if stated:
            return [_signal(place, is_reserved="1" in stated, policy=next(iter(policies), ""))]
    return []


def file_signals(rules: Sequence[Rule], target: str) -> list[Signal]:
    """Return at most one signal: the first of *rules* whose location matches *target* decides (section 5.1)."""
    rule = next((rule for rule in rules if matches(rule.location, target)), None)
    return [] if rule is None else [_signal(TDMREP, is_reserved=rule.is_reserved, policy=rule.policy)]


def parse(text: str) -> tuple[Rule, ...]:
    """Return the rules of a `tdmrep.json`. Entries that are not rules are skipped, and text that is not JSON has none.

    >>> parse('[{"location": "/", "tdm-reservation": 1}, {"location": 3}]')
    (Rule(location='/', is_reserved=True, policy=''),)
    """
    if text.count("[") + text.count("{") > _MAX_RULES + _MAX_DEPTH:
        return ()
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    entries = [entries] if isinstance(entries, dict) else entries
    return tuple(filter(None, map(_rule, entries[:_MAX_RULES]))) if isinstance(entries, list) else ()


def _rule(entry: Any) -> Rule | None:
    if not isinstance(entry, dict):
        return None
    location, reservation, policy = (entry.get(name) for name in ("location", RESERVATION, POLICY))
    if not isinstance(location, str) or not location or str(reservation) not in ("0", "1", "True", "False"):
        return None
    return Rule(location, str(reservation) in ("1", "True"), policy if isinstance(policy, str) else "")


def _signal(place: str, *, is_reserved: bool, policy: str) -> Signal:
    suffix = f", policy {policy.strip()}" if policy.strip() else ""
    return Signal("tdm", place, shown(f"{int(is_reserved)}{suffix}"), applies=is_reserved)
