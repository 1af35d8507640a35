"""Tokens of other libraries, computed once per distinct chunk between white space."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from corpusmill.pipelines.stages.linguistics.words import MAX_WORD_BYTES
from corpusmill.schemas.errors import MissingExtraError

Tokenize: TypeAlias = Callable[[str], list[str]]
Forms: TypeAlias = Callable[[list[str]], list[str]]
"""Maps words to their forms in a view, in the same order. An empty form removes the word."""

_RUN_OF_SIGNS: Final = re.compile(r"[^\w\s]{9}")
"""Limit on consecutive signs: spaCy strips them one by one and rescans the rest, so 250 brackets take 90 ms."""


def chunk_forms(tokenize: Tokenize, forms: Forms) -> Forms:
    """Return a function that maps chunks to the forms of their tokens, separated by spaces."""

    def joined(vocabulary: list[str]) -> list[str]:
        pieces = [tokenize(chunk) for chunk in vocabulary]
        form = form_of_each(pieces, forms)
        return [" ".join(filter(None, (form[token] for token in tokens))) for tokens in pieces]

    return joined


def form_of_each(pieces: list[list[str]], forms: Forms) -> dict[str, str]:
    """Return the form of each distinct token in *pieces*."""
    distinct = list(dict.fromkeys(token for tokens in pieces for token in tokens))
    return dict(zip(distinct, forms(distinct), strict=True))


def wordpunct() -> Tokenize:
    """Return NLTK's tokenizer of words and runs of punctuation."""
    try:
        from nltk.tokenize import WordPunctTokenizer
    except ImportError:
        raise MissingExtraError.of("nlp", "nltk") from None
    tokenize: Tokenize = WordPunctTokenizer().tokenize
    return tokenize


def spacy_tokens(nlp: Any) -> Tokenize:
    """Return spaCy's tokenization rules for the language of the pipeline *nlp* (contractions, abbreviations, URLs).

    A chunk above 100 bytes, or with more than eight consecutive signs, stays one token.
    """

    def tokenize(chunk: str) -> list[str]:
        if len(chunk.encode()) > MAX_WORD_BYTES or _RUN_OF_SIGNS.search(chunk):
            return [chunk]
        return [token.text for token in nlp.tokenizer(chunk)]

    return tokenize


def blank(language: str) -> Any:
    """Return spaCy's pipeline for *language* without a model."""
    try:
        import spacy
    except ImportError:
        raise MissingExtraError.of("nlp", "spacy") from None
    return spacy.blank(language)
