"""The stage `stem`: reduces words to their stems."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from corpusmill.pipelines.stages.linguistics.tokens import Forms, chunk_forms, wordpunct
from corpusmill.pipelines.stages.linguistics.view import View, one_of
from corpusmill.pipelines.stages.linguistics.words import MAX_WORD_BYTES, Remembered, chunks, spelled, words
from corpusmill.schemas.errors import MissingExtraError

SNOWBALL: Final = {
    **{
        "ar": "arabic",
        "ca": "catalan",
        "da": "danish",
        "de": "german",
        "el": "greek",
        "en": "english",
        "es": "spanish",
    },
    **{
        "et": "estonian",
        "eu": "basque",
        "fi": "finnish",
        "fr": "french",
        "ga": "irish",
        "hi": "hindi",
        "hu": "hungarian",
    },
    **{"hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch"},
    **{"no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish"},
    **{"ta": "tamil", "tr": "turkish", "yi": "yiddish"},
}
"""Names of Snowball's algorithms (https://snowballstem.org) by ISO 639-1."""


class Stem(View):
    """Add a view of the text as stems: lower-case, separated by spaces.

    `tokens: words` uses runs of letters and digits; `wordpunct` (NLTK) keeps runs of punctuation as tokens.
    """

    language: str = Field(default="en", description="ISO 639-1 code of the language.")
    algorithm: Literal["snowball", "porter"] = Field(
        default="snowball",
        description="`snowball` (PyStemmer), or `porter` (Porter 1980 with NLTK's changes, English only).",
    )
    tokens: Literal["words", "wordpunct"] = Field(default="words", description="Units to stem.")
    into: str = Field(default="stems", description="Name of the column.")

    depends: ClassVar[tuple[str, ...]] = ("PyStemmer", "nltk")
    extra: ClassVar[str | None] = "nlp"
    card_line: ClassVar[str | None] = "adds a view of the text in word stems"

    @model_validator(mode="after")
    def _has_algorithm(self) -> Self:
        languages = frozenset(SNOWBALL) if self.algorithm == "snowball" else frozenset({"en"})
        one_of(self.language, languages, f"`algorithm: {self.algorithm}` has no stems for", at=("language",))
        return self

    def view(self) -> Callable[[pa.StringArray], pa.StringArray]:
        """Load the algorithm and return the function."""
        stems = snowball(self.language) if self.algorithm == "snowball" else Remembered(porter())
        if self.tokens == "words":
            return lambda texts: spelled(split := words(texts), stems(split.vocabulary))
        pieces = Remembered(chunk_forms(wordpunct(), stems))
        return lambda texts: spelled(split := chunks(texts), pieces(split.vocabulary))


def snowball(language: str) -> Forms:
    """Return Snowball's stems for *language* (ISO 639-1)."""
    try:
        from Stemmer import Stemmer
    except ImportError:
        raise MissingExtraError.of("nlp", "PyStemmer") from None
    stem_words = Stemmer(SNOWBALL[language], 0).stemWords

    def stems(vocabulary: list[str]) -> list[str]:
        """Stem without PyStemmer's cache, because each distinct word comes only once."""
        lower = [word.lower() for word in vocabulary]
        return [stem or word for stem, word in zip(stem_words(lower), lower, strict=True)]

    return stems


def porter() -> Forms:
    """Return the stems of Porter (1980, doi:10.1108/eb046814) as NLTK computes them."""
    try:
        from nltk.stem.porter import PorterStemmer
    except ImportError:
        raise MissingExtraError.of("nlp", "nltk") from None
    stem = PorterStemmer().stem

    def stems(vocabulary: list[str]) -> list[str]:
        return [stem(word) if len(word) <= MAX_WORD_BYTES else word.lower() for word in vocabulary]

    return stems
