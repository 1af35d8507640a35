"""Detect crawler traps: endless addresses, by their form or by the pages of their pattern.

An address that repeats itself is refused by its form. Other endless addresses look like ordinary ones (calendars, page
numbers, filters, session ids). Therefore, pages whose addresses have the same pattern share a budget for redundant
pages, which have nearly the text of an earlier page. When the budget is spent, an address is refused only if a chain of
redundant pages led to it, so pages that a table of contents lists are always fetched.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit
from zlib import crc32

from corpusmill.crawlers import _scan

MAX_REPETITIONS: Final = 2
"""Times that a parameter, or a sequence of path segments, may occur in an address; as in Heritrix's
`PathologicalPathDecideRule`."""
MAX_SEGMENTS: Final = 20
"""Maximum segments of a path; as in Heritrix's `TooManyPathSegmentsDecideRule`."""
PATTERN_BUDGET: Final = 32
"""Redundant pages that a pattern may have: more than the 30 pages of a long but ordinary pagination."""
NEW_TEXT_RETURNS: Final = 2
"""Budget that a page with a new text restores, so that a pattern with a third of new pages never runs out."""
MIN_CHAIN: Final = 2
"""Length of a chain of redundant pages, each linked from the one before, from which a spent budget matters. A list of
links is finite; pages that keep generating links are not."""
TEXTS_COMPARED: Final = 32
"""Latest distinct texts of a pattern that a page is compared with: more than the months of two years."""
SAME_SHARE: Final = 0.9
"""Jaccard similarity of the words of two pages, without numbers, from which their texts count as the same."""
NEW_WORDS: Final = 5
"""Words that a page must add to its pattern to count as new although it repeats nearly the text of another page, as a
short post in a long layout does. A page of a calendar adds fewer: a month, a weekday."""
SKETCHED_CHARACTERS: Final = 200_000
"""Characters of a page that are compared."""

_COMPARED: Final = 128
"""Hashes of a sketch that are compared. The standard deviation of an estimated similarity of 0.9 is then 0.03."""
SKETCH_BYTES: Final = 4 * _COMPARED
_MAX_WORDS: Final = 4096
_NESTED: Final = 5
_COMPARED_PARTS: Final = 256
_PIECE: Final = re.compile(r"[A-Za-z0-9]+")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*")
_DIGIT: Final = re.compile(r"[0-9]")
_VARIABLES: Final = re.compile(r"#(?:[^A-Za-z0-9/#]*#)+")


def trap_of(canonical: str) -> tuple[str, str] | None:
    """Return the rule and the message if the form of a canonical URL is a trap; None if it is not.

    >>> trap_of("http://example.org/?q=a&q=a&q=a")
    ('trap.repeated_parameter', '`q=a` 3 times; pattern example.org/?q')
    >>> trap_of("http://example.org/a/b/a/b/a/b"), trap_of("http://example.org/?tag=a&tag=b&tag=c")
    (('trap.repeated_path', '`a/b` 3 times in a row; pattern example.org/a/b'), None)
    """
    parts = urlsplit(canonical)
    rule = _path_trap(parts.path) or (_query_trap(parts.query) if parts.query else None)
    return rule and (rule[0], f"{rule[1]}; pattern {address_pattern(canonical)}")


def _path_trap(path: str) -> tuple[str, str] | None:
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) > MAX_SEGMENTS:
        return "trap.deep_path", f"{len(segments)} path segments"
    repeated = _repeated(segments, shortest=1)
    if not repeated or _are_numbers(repeated):
        return None
    return "trap.repeated_path", f"`{'/'.join(repeated)[:200]}` {MAX_REPETITIONS + 1} times in a row"


def _query_trap(query: str) -> tuple[str, str] | None:
    parameter, times = Counter(query.split("&")).most_common(1)[0]
    if times > MAX_REPETITIONS:
        return "trap.repeated_parameter", f"`{parameter[:200]}` {times} times"
    for _ in range(_NESTED):
        query = unquote(query)
    # Nested addresses: /login?next=/login?next=/login?next=/
    repeated = _repeated([part for part in re.split(r"[=&?/#]+", query) if part], shortest=2)
    if repeated and not _are_numbers(repeated):
        return "trap.repeated_parameter", f"`{'='.join(repeated)[:200]}` {MAX_REPETITIONS + 1} times in a row"
    return None


def _are_numbers(parts: Sequence[str]) -> bool:
    """Return whether *parts* may be a date or coordinates, such as /11/11/11/ and ?box=-1/-1/-1/-1/-1/-1."""
    return all(map(_NUMBER.fullmatch, parts))


def _repeated(parts: Sequence[str], *, shortest: int) -> Sequence[str]:
    """Return the first and shortest sequence that occurs more than `MAX_REPETITIONS` times in a row; empty if none."""
    times = MAX_REPETITIONS + 1
    parts = parts[:_COMPARED_PARTS]
    for length in range(shortest, len(parts) // times + 1):
        equal = 0  # consecutive parts that equal the part `length` before them
        for at in range(length, len(parts)):
            equal = equal + 1 if parts[at] == parts[at - length] else 0
            if equal == length * MAX_REPETITIONS:
                return parts[at - length + 1 : at + 1]
    return ()


def address_pattern(canonical: str) -> str:
    """Return the pattern of an address: pieces with a digit become `#`; repeated segments and parameters occur once.

    >>> address_pattern("http://example.org/2026/11/a-17-b3.html"), address_pattern("http://example.org/s/s?page=2&b=x")
    ('example.org/#/a-#.html', 'example.org/s?page&b')
    """
    parts = urlsplit(canonical)
    segments = dict.fromkeys(_VARIABLES.sub("#", _PIECE.sub(_masked, segment)) for segment in parts.path.split("/"))
    names = dict.fromkeys(pair.partition("=")[0] for pair in parts.query.split("&"))
    return f"{parts.netloc}{'/'.join(segments) or '/'}{'?' if parts.query else ''}{'&'.join(names)}"


def _masked(piece: re.Match[str]) -> str:
    return "#" if _DIGIT.search(piece[0]) else piece[0]


def family_pattern(pattern: str) -> str | None:
    """Return the pattern of similar addresses, or None if those of *pattern* already differ in a number.

    They have any query, or any last segment of the path.

    >>> family_pattern("example.org/shop?color&size"), family_pattern("example.org/list/b"), family_pattern("a/cal/#")
    ('example.org/shop?*', 'example.org/list/*', None)
    """
    path, mark, _ = pattern.partition("?")
    if mark:
        return f"{path}?*"
    folder, _, last = path.rpartition("/")
    return None if "#" in last else f"{folder}/*"


def text_sketch(text: str, *, url: str) -> bytes:
    """Return the smallest hashes of the words of a page, uint32 in ascending order, at most 4,096.

    `says_the_same` compares the first `SKETCH_BYTES`; `words_of_pattern` uses all of them.
    Numbers and words of the page's address *url* are left out, because pages may differ only in these.
    """
    # The second occurrence of a word counts as another word.
    return _scan.sketch(text[:SKETCHED_CHARACTERS].lower(), unquote(url).lower(), _MAX_WORDS)


def words_of_pattern(sketch: bytes, pattern: str) -> list[int]:
    """Return the words of *sketch* as int64 numbers, which differ from those of other patterns."""
    above = (crc32(pattern.encode()) >> 1) << 32
    return [above | word for word in memoryview(sketch).cast("I")]


def says_the_same(sketch: bytes, others: list[bytes]) -> bool:
    """Return whether a page has nearly the same words as one of *others*, by their sketches (bottom-k, Broder 1997).

    >>> old, new = (text_sketch(f"No events in {year}", url="http://example.org/") for year in (2026, 2027))
    >>> says_the_same(old, [new]), says_the_same(old, [text_sketch("A fair", url="http://example.org/")])
    (True, False)
    """
    return _scan.same(sketch, others, _COMPARED, SAME_SHARE)
