"""The text of a page of wikitext."""

from corpusmill.crawlers.readers.wikitext.article import article
from corpusmill.crawlers.readers.wikitext.languages import language
from corpusmill.crawlers.readers.wikitext.page import Page


def page_of(code: str = "en", *, keep: tuple[str, ...] = ("lists",), patterns: dict[str, str] | None = None) -> Page:
    """Return a page of the wiki in the language *code*."""
    return Page(
        "Orte", language(code), namespaces={"template": 10, "talk": 1}, keep=frozenset(keep), patterns=patterns or {}
    )


def text_of(wikitext: str, code: str = "en", *, keep: tuple[str, ...] = ("lists",)) -> str:
    """Return the plain text of *wikitext*."""
    return article(wikitext, page_of(code, keep=keep))
