"""Where on a page a statement stands: beside the title, in a sentence, among comments, or in what leads elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from heapq import nlargest
from typing import Final, TypeAlias

Place: TypeAlias = tuple[int, str]
"""The block in which an element begins, and the path around it (``body > article > header.meta``)."""

_BEFORE_TITLE: Final = 6
_AFTER_TITLE: Final = 12
"""Blocks around the title in which a byline stands."""
_PROSE_CHARS: Final = 80
"""Of a paragraph: an item after one is of a list of other pages."""
_ASIDE: Final = re.compile(r"(?:^| > )(?:aside|nav|dialog)(?![a-z])")
_WORDS_AROUND: Final = (
    r"comment(?!ar)|disqus|respond|related|recommend|(?<!with)(?<!with-)(?<!has-)(?<!no-)side-?bar|latest|popular|"
    r"trending|ticker|upcoming|newsletter|copyright|teaser|promo|recent|calendar|"
    r"(?<![a-z])(?:repl(?:y|ies)|events?|more|next|previous|archives?)(?![a-z])"
)
_ELSEWHERE: Final = re.compile(_WORDS_AROUND, re.IGNORECASE)
_NOT_THE_ARTICLE: Final = re.compile(
    rf"{_WORDS_AROUND}|widget|review|testimonial|carousel|(?<![a-z])cards?(?![a-z])", re.IGNORECASE
)
"""Words of names for what is not the article; the second where the title stands outside of it."""
_COMMENTS: Final = re.compile(r"comment(?!ar)|disqus|respond|related", re.IGNORECASE)
_LONGEST: Final = 10
"""Paragraphs of which one is of the article, unless readers wrote more than the author."""
_ITEM: Final = re.compile(r" > li(?![a-z])")
_FOOTER: Final = re.compile(r"(?:^| > )footer(?![a-z])")
_ARTICLE: Final = re.compile(r"(?:^| > )(?:article|main)(?![a-z])")


class Layout:
    """The blocks of a page, its title among them, and where its records stand; found when they are asked for."""

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
        """The places of the records, in their order; empty when nobody knows them."""
        return self._places()

    @cached_property
    def paths(self) -> Sequence[str]:
        """The paths around the first blocks; empty when nobody knows them."""
        return self._paths()

    @cached_property
    def title(self) -> Place | None:
        """Where the first heading stands, if possible one that is no part of what leads elsewhere."""
        places = [self.places[index] for index in self._headings if index < len(self.places)]
        own = (place for place in places if not _leads_away(place[1].split(" > "), _ELSEWHERE))
        return next(own, places[0] if places else None)

    def is_own(self, block: int) -> bool:
        """Tell whether a block is of the article; true when nobody knows."""
        return block >= len(self.paths) or not self._leads_away(self.paths[block])

    def line(self, index: int) -> str:
        """Give the text of the block in which a record begins; empty when nobody knows it."""
        block = self.places[index][0] if index < len(self.places) else -1
        return self.lines[block] if 0 <= block < len(self.lines) else ""

    def is_elsewhere(self, index: int) -> bool:
        """Tell whether a record stands among comments, links to other pages, or what frames the page.

        What the title or most of the text stands in too says nothing: it is the article, whatever it is called.
        """
        return index < len(self.places) and self._leads_away(self.places[index][1])

    def _leads_away(self, path: str) -> bool:
        if path not in self._known:
            self._known[path] = self._is_not_the_article(path.split(" > "))
        return self._known[path]

    def _is_not_the_article(self, path: Sequence[str]) -> bool:
        shared = max((_common(path, own) for own in self._own), default=0)
        if self.title is None:
            return _leads_away([box for box in path if not box.startswith(("html", "body"))], _ELSEWHERE, shared)
        return _leads_away(path, _NOT_THE_ARTICLE, shared)

    @cached_property
    def _own(self) -> list[list[str]]:
        """The paths to the title and to the longest paragraph that is no comment: the boxes of both are the article."""
        own = [self.title[1].split(" > ")] if self.title else []
        lengths = [len(line) for line in self.lines]
        for block in nlargest(_LONGEST, range(len(self.paths)), key=lengths.__getitem__):
            path = self.paths[block]
            if not _ASIDE.search(path) and not _COMMENTS.search(path):
                return [*own, path.split(" > ")]
        return own

    def is_near_title(self, index: int) -> bool:
        """Tell whether a record stands where a byline does."""
        if self.title is None or index >= len(self.places):
            return False
        title, block = self.title[0], self.places[index][0]
        if self.is_item(index) and any(len(line) >= _PROSE_CHARS for line in self.lines[title + 1 : block]):
            return False
        return -_BEFORE_TITLE <= block - title <= _AFTER_TITLE

    def is_item(self, index: int) -> bool:
        """Tell whether a record stands in an item of a list."""
        return index < len(self.places) and _ITEM.search(self.places[index][1]) is not None


def _leads_away(path: Sequence[str], names: re.Pattern[str], start: int = 0) -> bool:
    """Tell whether one of the boxes from *start* on holds what is not the article.

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
    """Count the boxes that two paths have in common, from the outermost."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
