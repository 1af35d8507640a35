"""Locate a statement on a page: near the title, in a sentence, among comments, or in links to other pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from heapq import nlargest
from typing import Final, TypeAlias

from corpusmill.pipelines.stages.extract.datelines import may_be_dateline

Place: TypeAlias = tuple[int, str]
"""The block that contains the start of an element, and the path around it (``body > article > header.meta``)."""

_BEFORE_TITLE: Final = 6
_AFTER_TITLE: Final = 12
"""Number of blocks around the title in which a byline may be."""
_PROSE_CHARS: Final = 80
"""Characters of a paragraph. List items after a paragraph of this length belong to lists of other pages."""
_ASIDE: Final = re.compile(r"(?:^| > )(?:aside|nav|dialog)(?![a-z])")
_WORDS_AROUND: Final = (
    r"comment(?!ar)|disqus|respond|related|recommend|(?<!with)(?<!with-)(?<!has-)(?<!no-)side-?bar|latest|popular|"
    r"trending|ticker|upcoming|newsletter|copyright|teaser|promo|recent|calendar|"
    r"current-?date|(?<![a-z])(?:post|entry)-nav|nav-links|"
    r"(?<![a-z])today(?![a-z])|"
    r"(?<![a-z])(?:repl(?:y|ies)|events?|more|next|previous|archives?)(?![a-z])"
)
_ELSEWHERE: Final = re.compile(_WORDS_AROUND, re.IGNORECASE)
_NOT_THE_ARTICLE: Final = re.compile(
    rf"{_WORDS_AROUND}|widget|review|testimonial|carousel|(?<![a-z])cards?(?![a-z])", re.IGNORECASE
)
"""Names of elements outside the article; the second pattern applies if the title is outside of the article."""
_COMMENTS: Final = re.compile(r"comment(?!ar)|disqus|respond|related", re.IGNORECASE)
_LONGEST: Final = 10
"""Number of longest paragraphs, one of which is from the article unless readers wrote more than the author."""
_INSET: Final = re.compile(r" > (?:blockquote|figure|figcaption|caption)(?![a-z])")
_ENTRY: Final = re.compile(r" > (?:li|dd|t[dh]|h[2-6])(?![a-z])")
_CELL: Final = re.compile(r" > t[dh](?![a-z])")
_TIME_OF_DAY: Final = re.compile(r"\d:\d\d")
_ITEM: Final = re.compile(r" > li(?![a-z])")
_FOOTER: Final = re.compile(r"(?:^| > )footer(?![a-z])")
_ARTICLE: Final = re.compile(r"(?:^| > )(?:article|main)(?![a-z])")


class Layout:
    """The blocks of a page, its title, and the positions of its records, computed on demand."""

    def __init__(
        self,
        lines: Callable[[], Sequence[str]],
        places: Callable[[], Sequence[Place]],
        paths: Callable[[], Sequence[str]],
        headings: Sequence[int] = (),
    ) -> None:
        self._lines, self._places, self._paths, self._headings = lines, places, paths, headings
        self._known: dict[str, bool] = {}

    @cached_property
    def lines(self) -> Sequence[str]:
        """The texts of the blocks."""
        return self._lines()

    @cached_property
    def places(self) -> Sequence[Place]:
        """The positions of the records, in order; empty if unknown."""
        return self._places()

    @cached_property
    def paths(self) -> Sequence[str]:
        """The paths around the first blocks; empty if unknown."""
        return self._paths()

    @cached_property
    def title(self) -> Place | None:
        """The position of the first heading, preferably one outside of links to other pages."""
        places = [self.places[index] for index in self._headings if index < len(self.places)]
        own = (place for place in places if not _leads_away(place[1].split(" > "), _ELSEWHERE))
        return next(own, places[0] if places else None)

    def is_own(self, block: int) -> bool:
        """Return whether a block belongs to the article; true if unknown."""
        return block >= len(self.paths) or not self._leads_away(self.paths[block])

    def is_inset(self, block: int) -> bool:
        """Return whether a block is a quotation, a caption, or one of the entries of a list or table below prose.

        A lone cell with a day says nothing: it may be of a table that the page is laid out with.
        """
        path = self.paths[block] if block < len(self.paths) else ""
        if _INSET.search(path) or not _ENTRY.search(path):
            return _INSET.search(path) is not None
        start = self.title[0] + 1 if self.title else 0
        if not any(len(line) >= _PROSE_CHARS for line in self.lines[start:block]):
            return False
        days = (line for line, other in zip(self.lines, self.paths, strict=False) if other == path)
        return _CELL.search(path) is None or sum(map(_is_day_alone, days)) > 1

    def line(self, index: int) -> str:
        """Return the text of the block that contains the start of a record; empty if unknown."""
        block = self.places[index][0] if index < len(self.places) else -1
        return self.lines[block] if 0 <= block < len(self.lines) else ""

    def is_elsewhere(self, index: int) -> bool:
        """Return whether a record is among comments, links to other pages, or the frame of the page.

        Elements that also contain the title or most of the text are ignored: they are the article, whatever their
        names.
        """
        return index < len(self.places) and self._leads_away(self.places[index][1])

    def _leads_away(self, path: str) -> bool:
        if path not in self._known:
            self._known[path] = self._is_not_the_article(path.split(" > "))
        return self._known[path]

    def _is_not_the_article(self, path: Sequence[str]) -> bool:
        shared = max((_common(path, own) for own in self._own), default=0)
        if self._own and any(box.partition(".")[0] == "article" for box in path[shared:]):
            return True  # HTML Standard, 4.3.2: an article in or beside this one is another work
        if self.title is None:
            return _leads_away([box for box in path if not box.startswith(("html", "body"))], _ELSEWHERE, shared)
        return _leads_away(path, _NOT_THE_ARTICLE, shared)

    @cached_property
    def _own(self) -> list[list[str]]:
        """The paths to the title and to the longest paragraph that is not a comment. Their elements are the article."""
        own = [self.title[1].split(" > ")] if self.title else []
        lengths = [len(line) for line in self.lines]
        for block in nlargest(_LONGEST, range(len(self.paths)), key=lengths.__getitem__):
            path = self.paths[block]
            if not _ASIDE.search(path) and not _COMMENTS.search(path):
                return [*own, path.split(" > ")]
        return own

    def is_near_title(self, index: int) -> bool:
        """Return whether a record is where a byline would be."""
        if self.title is None or index >= len(self.places):
            return False
        title, block = self.title[0], self.places[index][0]
        if self.is_item(index) and any(len(line) >= _PROSE_CHARS for line in self.lines[title + 1 : block]):
            return False
        return -_BEFORE_TITLE <= block - title <= _AFTER_TITLE

    def is_item(self, index: int) -> bool:
        """Return whether a record is in a list item."""
        return index < len(self.places) and _ITEM.search(self.places[index][1]) is not None


def _is_day_alone(line: str) -> bool:
    """Return whether *line* may be a day of a table: one that names a year and no time of day."""
    return may_be_dateline(line) and not _TIME_OF_DAY.search(line)


def _leads_away(path: Sequence[str], names: re.Pattern[str], start: int = 0) -> bool:
    """Return whether an element of the path from *start* on contains something other than the article.

    >>> _leads_away(["main", "aside.latest"], _ELSEWHERE), _leads_away(["main", "div.latest"], _ELSEWHERE, 2)
    (True, False)
    >>> _leads_away(["article", "footer.meta"], _ELSEWHERE), _leads_away(["body", "footer"], _ELSEWHERE)
    (False, True)
    """
    own = " > ".join(path[start:])
    if _ASIDE.search(own) or names.search(own):
        return True
    footer = _FOOTER.search(own)
    return footer is not None and not _ARTICLE.search(f"{' > '.join(path[:start])} > {own[: footer.start()]}")


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the elements that two paths share, from the outermost on."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
