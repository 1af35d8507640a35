"""The stage `lemmatize`: replaces words by their dictionary forms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar, Final, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from corpusmill.pipelines.stages.linguistics.stop_words import LANGUAGES as WITH_STOP_WORDS
from corpusmill.pipelines.stages.linguistics.stop_words import stop_words
from corpusmill.pipelines.stages.linguistics.tokens import Forms, blank, chunk_forms, form_of_each, spacy_tokens
from corpusmill.pipelines.stages.linguistics.view import View, one_of
from corpusmill.pipelines.stages.linguistics.words import MAX_WORD_BYTES, Remembered, chunks, spelled, words
from corpusmill.schemas.errors import MissingExtraError
from corpusmill.schemas.problems import HintedValueError

SIMPLEMMA: Final = frozenset(
    "ar ast bg ca cs cy da de el en enm eo es et fa fi fr ga gd gl grc gv hbs he hi hu hy id is it ka la lb lt lv mk "
    "ml ms nb nl nn pl pt ro ru se sk sl sq sv sw tl tr uk".split()
)
SPACY: Final = frozenset("ca cs da de en es fr grc hr hu id it lb lt mk nb nl pt ro ru sr sv tl tr ur".split())
"""Languages with a table of lemmas in spacy-lookups-data."""

_AMBIGUOUS: Final = frozenset({"'s", "’s", "'d", "’d"})
"""The rest of a contracted is, has or would, or of a genitive. The English table maps them all to `have`."""


_LANGUAGE: Final = ("language",)


class Lemmatize(View):
    """Add a view of the text as lemmas: lower-case, separated by spaces, from dictionaries (no model, no context).

    `tokens: words` uses runs of letters and digits; `spacy` uses spaCy's rules for the language (don't becomes do, not;
        punctuation and URLs are tokens). With `sentences`, each sentence (spaCy's sentencizer) is a line.
    """

    language: str = Field(default="en", description="ISO 639-1 code of the language (639-3 if it has none).")
    engine: Literal["simplemma", "spacy"] = Field(
        default="simplemma",
        description="`simplemma` (dictionaries and rules), or `spacy` (tables of spacy-lookups-data).",
    )
    tokens: Literal["words", "spacy"] = Field(default="words", description="Units to lemmatize.")
    sentences: bool = Field(default=False, description="One line per sentence; needs `tokens: spacy`.")
    keep_stop_words: bool = Field(default=True, description="Keep stop words (lists for de, en, es, fr).")
    into: str = Field(default="lemmas", description="Name of the column.")

    depends: ClassVar[tuple[str, ...]] = ("simplemma", "spacy", "spacy-lookups-data")
    data: ClassVar[tuple[str, ...]] = tuple(f"stop_word_lists/{language}.txt" for language in sorted(WITH_STOP_WORDS))
    extra: ClassVar[str | None] = "nlp"
    card_line: ClassVar[str | None] = "adds a view of the text in lemmas"

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        one_of(
            self.language,
            SIMPLEMMA if self.engine == "simplemma" else SPACY,
            f"{self.engine} has no lemmas for",
            at=_LANGUAGE,
        )
        if self.tokens == "spacy":
            one_of(self.language, SPACY, "there are no tokens by spaCy for", at=_LANGUAGE)
        if not self.keep_stop_words:
            one_of(self.language, WITH_STOP_WORDS, "there is no list of stop words for", at=_LANGUAGE)
        if self.sentences and self.tokens != "spacy":
            problem = "`sentences: true` needs `tokens: spacy`, because words alone have no full stops"
            raise HintedValueError(problem, hint="add `tokens: spacy`, or leave `sentences` out", at=("sentences",))
        return self

    def view(self) -> Callable[[pa.StringArray], pa.StringArray]:
        """Load the tables and return the function."""
        lemmas = self._forms()
        if self.tokens == "words":
            return lambda texts: spelled(split := words(texts), lemmas(split.vocabulary))
        if self.sentences:
            return _by_sentence(blank(self.language), lemmas)
        pieces = Remembered(chunk_forms(spacy_tokens(blank(self.language)), lemmas))
        return lambda texts: spelled(split := chunks(texts), pieces(split.vocabulary))

    def _forms(self) -> Forms:
        lemmas = Remembered(by_simplemma(self.language) if self.engine == "simplemma" else by_spacy(self.language))
        if self.keep_stop_words:
            return lemmas
        left_out = stop_words(self.language)

        def without(vocabulary: list[str]) -> list[str]:
            return [
                "" if word.lower() in left_out else lemma
                for word, lemma in zip(vocabulary, lemmas(vocabulary), strict=True)
            ]

        return without


def by_simplemma(language: str) -> Forms:
    """Return simplemma's lemmas for *language*."""
    try:
        from simplemma import Lemmatizer
    except ImportError:
        raise MissingExtraError.of("nlp", "simplemma") from None
    lemmatize = Lemmatizer(cache_max_size=1).lemmatize

    def lemmas(vocabulary: list[str]) -> list[str]:
        return [(lemmatize(word, language) if len(word) <= MAX_WORD_BYTES else word).lower() for word in vocabulary]

    return lemmas


def by_spacy(language: str) -> Forms:
    """Return spaCy's look-up lemmas for *language*: of the word as written, else of its lower-case form."""
    nlp = blank(language)
    lemmatizer = nlp.add_pipe("lemmatizer", config={"mode": "lookup"})
    try:
        lemmatizer.initialize()
    except ValueError:
        raise MissingExtraError.of("nlp", "spacy-lookups-data") from None

    def lemmas(vocabulary: list[str]) -> list[str]:
        with nlp.memory_zone():
            written = _looked_up(nlp, lemmatizer, vocabulary)
            lower = _looked_up(nlp, lemmatizer, [word.lower() for word in vocabulary])
        return [
            word if word in _AMBIGUOUS else (lemma if lemma != word else other).lower()
            for word, lemma, other in zip(vocabulary, written, lower, strict=True)
        ]

    return lemmas


def _looked_up(nlp: Any, lemmatizer: Any, vocabulary: list[str]) -> list[str]:
    from spacy.tokens import Doc

    return [token.lemma_ for token in lemmatizer(Doc(nlp.vocab, words=vocabulary))]


def _by_sentence(nlp: Any, lemmas: Forms) -> Callable[[pa.StringArray], pa.StringArray]:
    from spacy.tokens import Doc

    tokenize = spacy_tokens(nlp)
    sentencizer = nlp.add_pipe("sentencizer")

    def lines(texts: pa.StringArray) -> pa.StringArray:
        split = chunks(texts)
        with nlp.memory_zone():
            pieces = [tokenize(chunk) for chunk in split.vocabulary]
            form = form_of_each(pieces, lemmas)
            views = []
            for start, end in pairwise(split.ends):
                tokens = [token for code in split.codes[start:end] for token in pieces[code]]
                sentences = sentencizer(Doc(nlp.vocab, words=tokens)).sents if tokens else ()
                spelt = (" ".join(filter(None, (form[token.text] for token in sentence))) for sentence in sentences)
                views.append("\n".join(filter(None, spelt)))
        return pa.array(views, pa.string())

    return lines
