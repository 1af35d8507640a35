"""The stage `stop_words`: removes the most frequent words of a language."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import ClassVar, Final

import pyarrow as pa
from pydantic import Field, field_validator

from corpusmill.pipelines.stages.linguistics.view import View, one_of
from corpusmill.pipelines.stages.linguistics.words import spelled, words

LANGUAGES: Final = frozenset({"de", "en", "es", "fr"})
_LISTS: Final = "stop_word_lists"


class StopWords(View):
    """Add a view of the text without stop words: the other words, lower-case, separated by spaces.

    A word with an apostrophe counts as two (don't: don, t), also in the lists.
    """

    language: str = Field(default="en", description="Language of the list: de, en, es or fr.")
    extra_words: tuple[str, ...] = Field(default=(), description="Additional words to remove.", examples=[["page"]])
    into: str = Field(default="content_words", description="Name of the column.")

    data: ClassVar[tuple[str, ...]] = tuple(f"{_LISTS}/{language}.txt" for language in sorted(LANGUAGES))
    card_line: ClassVar[str | None] = "adds a view of the text without stop words"

    @field_validator("language")
    @classmethod
    def _has_list(cls, language: str) -> str:
        return one_of(language, LANGUAGES, "there is no list of stop words for")

    def view(self) -> Callable[[pa.StringArray], pa.StringArray]:
        """Load the list and return the function."""
        extra = words(pa.array(list(self.extra_words), pa.string())).vocabulary
        left_out = stop_words(self.language) | {word.lower() for word in extra}

        def without(texts: pa.StringArray) -> pa.StringArray:
            split = words(texts)
            lower = map(str.lower, split.vocabulary)
            return spelled(split, ["" if word in left_out else word for word in lower])

        return without


@cache
def stop_words(language: str) -> frozenset[str]:
    """Return the stop words of *language*, lower-case."""
    lines = (Path(__file__).parent / _LISTS / f"{language}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
