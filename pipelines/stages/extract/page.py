"""One page: from its bytes to its text, its blocks and what it says about itself."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Final
from urllib.parse import urljoin

from corpusmill.pipelines.stages.extract import _reader
from corpusmill.pipelines.stages.extract.content import Block, blocks_of, with_comments, without
from corpusmill.pipelines.stages.extract.dates import last_day
from corpusmill.pipelines.stages.extract.formulas import has_formulas, with_formulas
from corpusmill.pipelines.stages.extract.markdown import markdown
from corpusmill.pipelines.stages.extract.metadata import Metadata, metadata_of
from corpusmill.pipelines.stages.extract.model_file import shipped
from corpusmill.pipelines.stages.extract.options import Favor, Options
from corpusmill.pipelines.stages.extract.rendering import plain_text
from corpusmill.pipelines.stages.extract.selection import selected
from corpusmill.schemas.decoding.binary import is_binary
from corpusmill.schemas.decoding.pages import utf8
from corpusmill.schemas.document import MAX_TEXT_BYTES
from corpusmill.schemas.errors import DataError

MAX_PAGE_BYTES: Final = MAX_TEXT_BYTES
DEFAULT: Final = Options()
BETAS: Final[dict[Favor, float]] = {"precision": 0.5, "balanced": 1.0, "recall": 2.0}
"""How much more recall counts than precision in the F-score that the choice of blocks expects to be largest."""
_PLAIN: Final = frozenset(("text/plain", "text/markdown", "text/x-rst", "text/csv"))
_MARKUP: Final = frozenset(("text/html", "application/xhtml+xml", "application/xml", "text/xml", ""))


class Page:
    """What a page gave. Each form is made when it is asked for, from one reading."""

    def __init__(
        self,
        reading: _reader.Reading,
        *,
        url: str | None,
        options: Options,
        is_selected: bool = False,
        fetched_at: datetime | None = None,
    ) -> None:
        self._reading, self._url, self._options, self._is_selected = reading, url, options, is_selected
        self._fetched_at = fetched_at

    @cached_property
    def text(self) -> str:
        """The main content as plain text; empty when there is none."""
        keep = self._options.keep
        blocks = self.blocks if self._has_wishes else blocks_of(self._reading.blocks())
        return plain_text(blocks, links="links" in keep, images="alt_text" in keep, base=self._base)

    @cached_property
    def blocks(self) -> list[Block]:
        """Every block of the page in order, with its score, its path, its marks, and whether it is kept."""
        blocks = blocks_of(self._reading.blocks(only_kept=False, spans=True, paths=True))
        keep = self._options.keep
        if self._is_selected:
            blocks = [block._replace(kept=True) for block in blocks]
        elif "comments" in keep:
            blocks = with_comments(blocks)
        return without(blocks, tables="tables" not in keep, code="code" not in keep)

    @cached_property
    def metadata(self) -> Metadata:
        """What the page states about itself, each value with its evidence."""
        return metadata_of(
            self._reading.records,
            self._url,
            lambda: self._reading.lines,
            places=lambda: self._reading.record_places,
            paths=lambda: self._reading.paths,
            last=last_day(self._fetched_at),
        )

    @property
    def title(self) -> str | None:
        """The title without the site's name."""
        return self.metadata.title.value if self.metadata.title else None

    def markdown(self) -> str:
        """The main content as CommonMark with tables."""
        keep = self._options.keep
        kept = [block for block in self.blocks if block.kept]
        return markdown(kept, links="links" in keep, images="alt_text" in keep, base=self._base)

    @cached_property
    def _base(self) -> str | None:
        """Where relative addresses start from: what the first `<base>` says, as seen from the page's own address."""
        stated = next((attributes["href"] for tag, attributes, _ in self._reading.records if tag == "base"), None)
        if stated is None:
            return self._url
        try:
            return urljoin(self._url or "", stated) or None
        except ValueError:  # such as http://[bad
            return self._url

    @property
    def _has_wishes(self) -> bool:
        """Whether the blocks that the model chose are not the ones to write, or marks in them are."""
        return self._is_selected or self._options.keep != DEFAULT.keep


def extract(html: bytes, url: str | None = None) -> str:
    """Return the main text of a page; the empty string when there is none or *html* is no markup.

    Raises:
        TypeError: *html* is a `str`: how a page is encoded is found out from its bytes.

    >>> extract(b"<nav><a href=/>Home</a></nav><p>The harbour reopened on Tuesday, after the storm.</p>")
    'The harbour reopened on Tuesday, after the storm.'
    """
    try:
        return extract_page(html, url).text
    except DataError:
        return ""


def extract_page(
    html: bytes,
    url: str | None = None,
    *,
    media_type: str | None = None,
    options: Options = DEFAULT,
    fetched_at: datetime | None = None,
) -> Page:
    """Read a page: its text, the blocks it is made of, and what it says about itself.

    Args:
        html: The body as it was sent, after content decoding.
        url: Where it was found: chooses `options.sites`, resolves links, and hints at the kind of page.
        media_type: The value of `Content-Type`; its charset counts.
        fetched_at: When it was found: a later day is not that of its publication.

    Raises:
        DataError: The body is too large (`too_large`), has too many pieces of text (`too_complex`), or is no text
            (`not_html`).
        TypeError: *html* is a `str`.
    """
    if isinstance(html, str):
        raise TypeError("a page is given as bytes, got str: use the body as it was sent, or text.encode()")
    if len(html) > MAX_PAGE_BYTES:
        raise DataError(f"{len(html)} bytes, more than {MAX_PAGE_BYTES}", kind="too_large")
    kind = (media_type or "").partition(";")[0].strip().lower()
    if is_binary(html, may_be_padded=True) or (kind not in _MARKUP and not kind.startswith("text/")):
        raise DataError(f"no markup: {kind or 'unknown type'}, begins with {html[:8]!r}", kind="not_html")
    markup = utf8(html, media_type)
    if kind in _PLAIN:
        markup = b"<pre>" + markup.replace(b"&", b"&amp;").replace(b"<", b"&lt;")
    selectors = options.selectors_for(url)
    is_selected = kind in _PLAIN
    if selectors and not is_selected:
        chosen, is_selected = selected(markup.decode("utf-8"), selectors)
        markup = chosen.encode("utf-8", "replace")
    if has_formulas(markup):
        markup = with_formulas(markup.decode("utf-8")).encode("utf-8", "replace")
    reading = _read(markup, BETAS[options.favor])
    return Page(reading, url=url, options=options, is_selected=is_selected, fetched_at=fetched_at)


def _read(markup: bytes, beta: float) -> _reader.Reading:
    try:
        reading = _reader.read(markup, shipped())
    except _reader.TooComplex as error:
        raise DataError(str(error), kind="too_complex") from error
    reading.choose(beta)
    return reading
