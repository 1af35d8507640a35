"""The text of a page of wikitext."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.crawlers.readers.wikitext.boxes import with_table_marks, without_boxes
from corpusmill.crawlers.readers.wikitext.braces import Braces
from corpusmill.crawlers.readers.wikitext.extensions import LINE, without_extensions
from corpusmill.crawlers.readers.wikitext.inline import tidied, with_characters, with_variant, without_tags
from corpusmill.crawlers.readers.wikitext.lines import INDENT, Blocks
from corpusmill.crawlers.readers.wikitext.links import Links
from corpusmill.crawlers.readers.wikitext.page import Page
from corpusmill.crawlers.readers.wikitext.templates import Templates

_VARIANTS: Final = {
    "zh": ("zh", "zh-hans", "zh-cn", "zh-sg", "zh-hant", "zh-tw", "zh-hk"),
    "sr": ("sr", "sr-ec", "sr-cyrl", "sr-el", "sr-latn"),
}
"""Order of preference of the writing systems of a language; most other wikis have none."""
_AROUND_BREAKS: Final = re.compile(rf" ?{LINE}[ {LINE}]*")
_BLANK_LINES: Final = re.compile(r"\n{3,}")


def article(text: str, page: Page) -> str:
    """Return the plain text of the wikitext *text*, and add what it finds for the metadata to *page*.

    Args:
        page: A fresh value for each page.
    """
    text = without_extensions(text, page.apart, keep=page.keep)
    text = with_table_marks(without_boxes(_rendered(text, page)))
    if page.apart.notes:
        notes, page.apart.notes = page.apart.notes, []
        text = "\n\n".join((text, *(_rendered(note, page).strip() for note in notes)))
    blocks = Blocks(page.language, page.keep)
    blocks.read(without_tags(text))
    result = tidied(with_characters(blocks.text()))
    if LINE in result:
        result = _AROUND_BREAKS.sub("\n", result)
    if "\n\n\n" in result:
        result = _BLANK_LINES.sub("\n\n", result)
    return page.apart.restored(result.replace(" \n", "\n").replace(INDENT, "  ")).strip()


def _rendered(text: str, page: Page) -> str:
    variants = _VARIANTS.get(page.language.code)
    if variants is not None:
        text = with_variant(text, variants)
    return Braces(Templates(page).render, Links(page).render).rendered(text)
