"""Tokens by somebody else's rules, once per distinct chunk between white space."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from corpusmill.pipelines.stages.linguistics.words import MAX_WORD_BYTES
from corpusmill.schemas.errors import MissingExtraError

Tokenize: TypeAlias = Callable[[str], list[str]]
Forms: TypeAlias = Callable[[list[str]], list[str]]
"""From words to what stands for them in a view, in the same order; an empty form leaves no trace."""

_RUN_OF_SIGNS: Final = re.compile(r"[^\w\s]{9}")
"""spaCy peels signs off a chunk one by one and looks at all the rest each time: 250 brackets take 90 ms."""


def chunk_forms(tokenize: Tokenize, forms: Forms) -> Forms:
    """Give a function from chunks to the forms of their tokens, a space between two."""

    def joined(vocabulary: list[str]) -> list[str]:
        pieces = [tokenize(chunk) for chunk in vocabulary]
        form = form_of_each(pieces, forms)
        return [" ".join(filter(None, (form[token] for token in tokens))) for tokens in pieces]

    return joined


def form_of_each(pieces: list[list[str]], forms: Forms) -> dict[str, str]:
    """Give the form of each distinct token in *pieces*."""
    distinct = list(dict.fromkeys(token for tokens in pieces for token in tokens))
    return dict(zip(distinct, forms(distinct), strict=True))


def wordpunct() -> Tokenize:
    """Give NLTK's tokenizer of words and runs of punctuation."""
    try:
        from nltk.tokenize import WordPunctTokenizer
    except ImportError:
        raise MissingExtraError.of("nlp", "nltk") from None
    tokenize: Tokenize = WordPunctTokenizer().tokenize
    return tokenize


def spacy_tokens(nlp: Any) -> Tokenize:
    """Give spaCy's rules for the language of the pipeline *nlp* (contractions, abbreviations, URLs).

    A chunk above 100 bytes or with more than eight signs in a row stays one token.
    """

    def tokenize(chunk: str) -> list[str]:
        if len(chunk.encode()) > MAX_WORD_BYTES or _RUN_OF_SIGNS.search(chunk):
            return [chunk]
        return [token.text for token in nlp.tokenizer(chunk)]

    return tokenize


def blank(language: str) -> Any:
    """Give spaCy's pipeline for *language* without a model."""
    try:
        import spacy
    except ImportError:
        raise MissingExtraError.of("nlp", "spacy") from None
    return spacy.blank(language)
