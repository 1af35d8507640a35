"""Robots directives in `X-Robots-Tag` headers and in `<meta name=robots>`, for everyone or for one agent.

Sources: https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag (`noindex`, `nofollow`,
`noarchive`, `unavailable_after`), https://www.deviantart.com/team/journal/UPDATE-All-Deviations-Are-Opted-Out-of-AI-Datasets-934500371
(`noai`, `noimageai`), https://noml.info (`noml`), and, for `nocache` and the meaning of `noarchive` for training,
https://blogs.bing.com/webmaster/september-2023/Announcing-new-options-for-webmasters-to-control-usage-of-their-content-in-Bing-Chat.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from corpusmill.crawlers.optouts.agents import EVERYONE, training_agents
from corpusmill.schemas.dates import day_of
from corpusmill.schemas.optouts import Signal, shown

KIND_OF: Final = {
    **{"noindex": ("noindex",), "none": ("noindex", "nofollow"), "nofollow": ("nofollow",)},
    **{"noarchive": ("noarchive",), "nocache": ("noarchive",)},
    **{"noai": ("noai",), "noimageai": ("noimageai",), "noml": ("noml",)},
}
"""The kinds of signals that a directive stands for."""
_UNTIL: Final = "unavailable_after"
_VALUED: Final = re.compile(r"unavailable_after|max-snippet|max-image-preview|max-video-preview")
"""Directives with a value after a colon, which are not names of agents."""
_AGENT: Final = re.compile(r"[a-z0-9_*][a-z0-9_. /*-]{0,63}")
_WORD: Final = re.compile(r"[a-z_-]+")
_DATE_CHARACTERS: Final = 64


class Directive(NamedTuple):
    """A directive in lower case, such as ``noindex``, for an `agent` in lower case, or for everyone if that is empty.

    `argument` is what follows the colon: the date of ``unavailable_after``.
    """

    agent: str
    name: str
    argument: str = ""


def header_signals(values: list[str], *, captured_at: datetime | None) -> list[Signal]:
    """Return the signals of the `X-Robots-Tag` headers *values*, each of which may begin with the name of an agent.

    >>> [signal.kind for signal in header_signals(["otherbot: noindex", "noai"], captured_at=None) if signal.applies]
    ['noai']
    """
    return [
        signal
        for value in values
        for directive in directives(value)
        for signal in _signals(directive, place="header X-Robots-Tag", text=value, captured_at=captured_at)
    ]


def meta_signals(name: str, content: str, *, captured_at: datetime | None) -> list[Signal]:
    """Return the signals of a `<meta>` with *name* (``robots``, or that of an agent, in lower case) and *content*."""
    if name not in EVERYONE and name not in training_agents():
        return []
    return [
        signal
        for directive in directives(content)
        for signal in _signals(
            directive._replace(agent=name), place=f"meta {name}", text=content, captured_at=captured_at
        )
    ]


def directives(value: str) -> Iterator[Directive]:
    """Yield the directives of one header or attribute. A name of an agent holds until the next name, or to the end.

    >>> [tuple(directive)[:2] for directive in directives("gptbot: noindex, noai")]
    [('gptbot', 'noindex'), ('gptbot', 'noai')]
    >>> [directive.argument for directive in directives("unavailable_after: Wed, 03 Dec 2025 00:00:00 GMT, noai")]
    ['wed, 03 dec 2025 00:00:00 gmt', '']
    """
    agent, until = "", None
    for part in value.lower().split(","):
        text = part.strip()
        head, colon, tail = text.partition(":")
        if colon and not _VALUED.match(text) and (until is None or not _is_date(text)) and _AGENT.fullmatch(head):
            agent, text = head.strip(), tail.strip()
        if text.startswith(_UNTIL):
            if until is not None:
                yield Directive(agent, _UNTIL, until)
            until = text.removeprefix(_UNTIL).lstrip(" :=")
        elif until is not None and _is_date(text):
            until = f"{until}, {text}"
        else:
            if until is not None:
                yield Directive(agent, _UNTIL, until)
                until = None
            yield from (Directive(agent, word) for word in _WORD.findall(text))
    if until is not None:
        yield Directive(agent, _UNTIL, until)


def _is_date(text: str) -> bool:
    """Return whether *text* can continue a date that has a comma: it has a digit and is no directive with a number."""
    return any(character.isdigit() for character in text) and not _VALUED.match(text)


def _signals(directive: Directive, *, place: str, text: str, captured_at: datetime | None) -> Iterator[Signal]:
    is_ours = directive.agent in EVERYONE
    value = shown(text)
    if directive.name == _UNTIL:
        applies = is_past(directive.argument, captured_at=captured_at)
        yield Signal(_UNTIL, place, value, applies=is_ours and applies)
        return
    for kind in KIND_OF.get(directive.name, ()):
        if kind != "nofollow" and directive.agent in training_agents():
            yield Signal("agents", place, value)
        else:
            yield Signal(kind, place, value, applies=is_ours)


def is_past(date: str, *, captured_at: datetime | None) -> bool:
    """Return whether *date* was over when a page was captured. Without a time of capture, every date counts as over.

    Text without a readable date is ignored, as search engines do. The clock of a run is not asked, because the same
    captures must give the same corpus on every day.

    >>> is_past("2020-01-01", captured_at=datetime(2026, 1, 1, tzinfo=UTC)), is_past("soon", captured_at=None)
    (True, False)
    """
    moment = _moment(date[:_DATE_CHARACTERS])
    return moment is not None and (captured_at is None or moment <= captured_at)


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        pass
    try:
        day = day_of(date, month_first=False, last=datetime.max.replace(tzinfo=UTC))
        return None if day is None else day.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
