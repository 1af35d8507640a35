"""Opt-outs: the kinds of signals by which a site reserves its content, and which of them prevent publication.

`KINDS` is the only place that decides this. `crawlers.optouts` reads the signals, and the step that reads records
compares them with the `respect` of their source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

RULE: Final = "optout."
"""The rule of a page that is not published because of a signal is this and the signal's kind: ``optout.noai``."""
MAX_VALUE_CHARACTERS: Final = 200
MAX_MESSAGE_CHARACTERS: Final = 600


class Signal(NamedTuple):
    """One statement of a site about one page.

    Args:
        kind: A key of `KINDS`.
        place: Where it stands: ``header X-Robots-Tag``, ``meta robots``, ``robots.txt``.
        value: What it says, as evidence.
        applies: Whether it forbids what a corpus does. False for a statement to others, about another use, about a
            time that has not come, or for an explicit permission.
    """

    kind: str
    place: str
    value: str
    applies: bool = True


class Kind(NamedTuple):
    """A kind of signal.

    Args:
        forbids: What it is about: ``keeping`` copies, ``training`` models, or ``fetching`` pages or links.
        is_respected: Whether it prevents publication with ``respect: all``.
        meaning: What it says.
    """

    forbids: Literal["keeping", "training", "fetching"]
    is_respected: bool
    meaning: str


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "robots": Kind("fetching", True, "The site's robots.txt forbids corpusmill to fetch the page (RFC 9309)."),
        "noindex": Kind("keeping", True, "`noindex` or `none` in `X-Robots-Tag` or `<meta name=robots>`."),
        "noarchive": Kind("keeping", True, "`noarchive` or `nocache` in the same places."),
        "unavailable_after": Kind("keeping", True, "`unavailable_after` with a date before the page was captured."),
        "noai": Kind("training", True, "`noai` in the same places."),
        "noimageai": Kind("training", True, "`noimageai` in the same places; captions are part of the text."),
        "noml": Kind("training", True, "`noml` in the same places."),
        "agents": Kind(
            "training",
            True,
            "A robots.txt group, or a robots directive, that names the crawler of a model's developer "
            "(`GPTBot`, `CCBot`, `Google-Extended`, …) and forbids it the page.",
        ),
        "tdm": Kind(
            "training",
            True,
            "`tdm-reservation: 1` in a header, a `<meta>` or `/.well-known/tdmrep.json` (TDM Reservation Protocol).",
        ),
        "content_usage": Kind(
            "training", True, "`Content-Usage` with `train-ai=n` in a header or in robots.txt (IETF AIPREF drafts)."
        ),
        "content_signal": Kind("training", True, "`Content-Signal` with `ai-train=no` in a header or in robots.txt."),
        "rsl": Kind(
            "training",
            True,
            "A license in Really Simple Licensing: `License:` in robots.txt, or a link with `rel=license` and "
            "`type=application/rsl+xml` in a header or in the page.",
        ),
        "ai_txt": Kind("training", True, "`/ai.txt` forbids the page (Spawning)."),
        "nofollow": Kind("fetching", False, "`nofollow`: links are not followed, and the page may be published."),
    }
)
"""The kinds of signals. If several prevent publication, the first in this order is the rule; the message has all."""
RESPECTED: Final = tuple(name for name, kind in KINDS.items() if kind.is_respected)
"""The kinds of ``respect: all``."""
OPTOUT_RULES: Final[Mapping[str, str]] = MappingProxyType({f"{RULE}{name}": KINDS[name].meaning for name in RESPECTED})
"""Meaning of each rule."""


def as_column(signals: Iterable[Signal]) -> list[dict[str, Any]] | None:
    """Return *signals* as a value of a column of type `optout_columns.SIGNALS`."""
    return [signal._asdict() for signal in signals] or None


ROBOTS: Final = "/robots.txt"
TDMREP: Final = "/.well-known/tdmrep.json"
AI_TXT: Final = "/ai.txt"
SITE_PATHS: Final = (ROBOTS, TDMREP, AI_TXT)
"""Paths of the files that speak for a whole site (host and port)."""


def respected_kinds(respect: str | Iterable[str]) -> frozenset[str]:
    """Return the kinds that prevent publication under *respect*.

    >>> sorted(respected_kinds(["noai", "tdm"])), len(respected_kinds("none"))
    (['noai', 'tdm'], 0)
    """
    if respect == "none":
        return frozenset()
    return frozenset(RESPECTED if respect == "all" else respect)


def verdict_of(
    signals: Iterable[Signal], respected: frozenset[str], *, seen_at: datetime | None
) -> tuple[str, str] | None:
    """Return the rule and the message of a page with *signals*; None if it may be published.

    Args:
        seen_at: When the signals were captured.

    >>> verdict_of([Signal("noai", "meta robots", "noai")], respected_kinds("all"), seen_at=None)
    ('optout.noai', 'meta robots: noai')
    """
    opposed = [signal for signal in signals if signal.applies and signal.kind in respected]
    if not opposed:
        return None
    opposed.sort(key=lambda signal: RESPECTED.index(signal.kind))
    return f"{RULE}{opposed[0].kind}", evidence(opposed, seen_at=seen_at)


def evidence(signals: Iterable[Signal], *, seen_at: datetime | None) -> str:
    """Return place, value and time of *signals* as text, at most `MAX_MESSAGE_CHARACTERS` of it.

    >>> evidence([Signal("tdm", "header tdm-reservation", "1")], seen_at=datetime(2026, 5, 4, 3, 2, 1))
    'header tdm-reservation: 1 (2026-05-04T03:02:01Z)'
    """
    statements = "; ".join(dict.fromkeys(f"{signal.place}: {signal.value}" for signal in signals))
    time = "" if seen_at is None else f" ({seen_at:%Y-%m-%dT%H:%M:%SZ})"
    return f"{statements[: MAX_MESSAGE_CHARACTERS - len(time)]}{time}"


def shown(value: str) -> str:
    """Return *value* on one line of at most `MAX_VALUE_CHARACTERS` printable characters.

    >>> shown(" noai,\\r\\n noindex ")
    'noai, noindex'
    """
    line = " ".join(value[: 4 * MAX_VALUE_CHARACTERS].split())
    return "".join(character for character in line if character.isprintable())[:MAX_VALUE_CHARACTERS]
