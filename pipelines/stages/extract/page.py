"""One page: from its bytes to its text, its blocks and its metadata."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Final
from urllib.parse import urljoin

from corpusmill.pipelines.stages.extract import _reader
from corpusmill.pipelines.stages.extract.content import Block, blocks_of, with_comments, without
from corpusmill.pipelines.stages.extract.declared import declared
from corpusmill.pipelines.stages.extract.formulas import has_formulas, with_formulas
from corpusmill.pipelines.stages.extract.linked_data import LinkedData
from corpusmill.pipelines.stages.extract.markdown import markdown
from corpusmill.pipelines.stages.extract.metadata import Metadata, metadata_of
from corpusmill.pipelines.stages.extract.model_file import shipped
from corpusmill.pipelines.stages.extract.news import article_body, is_fuller
from corpusmill.pipelines.stages.extract.options import Favor, Options
from corpusmill.pipelines.stages.extract.rendering import plain_text
from corpusmill.pipelines.stages.extract.selection import selected
from corpusmill.schemas.dates import last_day
from corpusmill.schemas.decoding.binary import is_binary
from corpusmill.schemas.decoding.pages import utf8
from corpusmill.schemas.document import MAX_TEXT_BYTES
from corpusmill.schemas.errors import DataError

MAX_PAGE_BYTES: Final = MAX_TEXT_BYTES
DEFAULT: Final = Options()
BETAS: Final[dict[Favor, float]] = {"precision": 0.5, "balanced": 1.0, "recall": 2.0}
"""Weight of recall relative to precision in the F-score whose expectation the choice of blocks maximizes."""
_PLAIN: Final = frozenset(("text/plain", "text/markdown", "text/x-rst", "text/csv"))
_MARKUP: Final = frozenset(("text/html", "application/xhtml+xml", "application/xml", "text/xml", ""))


class Page:
    """The result of reading a page. Each form is computed on demand from one parse.

    `is_selected` says whether the page has only the elements that `select` names, or is plain text.
    """

    def __init__(
        self,
        reading: _reader.Reading,
        *,
        url: str | None,
        options: Options,
        is_selected: bool = False,
        fetched_at: datetime | None = None,
        has_article_body: bool = False,
    ) -> None:
        self._has_article_body = has_article_body
        self._reading, self._url, self._options, self.is_selected = reading, url, options, is_selected
        self._fetched_at = fetched_at

    @cached_property
    def text(self) -> str:
        """The main content as plain text; empty when there is none.

        It is the article in the JSON-LD of the page, if the page shows only a part of it.
        """
        keep = self._options.keep
        blocks = self.blocks if self._changes_blocks else blocks_of(self._reading.blocks())
        text = plain_text(blocks, links="links" in keep, images="alt_text" in keep, base=self._base)
        if not self._has_article_body or self.is_selected:
            return text
        body = article_body(LinkedData(declared(self._reading.records, frozenset()).scripts))
        return body if is_fuller(body, text) else text

    @cached_property
    def blocks(self) -> list[Block]:
        """Every block of the page in order, with its score, path and marks, and whether it is kept."""
        blocks = blocks_of(self._reading.blocks(only_kept=False, spans=True, paths=True))
        keep = self._options.keep
        if self.is_selected:
            blocks = [block._replace(kept=True) for block in blocks]
        elif "comments" in keep:
            blocks = with_comments(blocks)
        return without(blocks, tables="tables" not in keep, code="code" not in keep)

    @cached_property
    def metadata(self) -> Metadata:
        """The metadata stated by the page, each value with its source."""
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
        """The address against which relative addresses are resolved: the first `<base>`, or that of the page."""
        stated = next((attributes["href"] for tag, attributes, _ in self._reading.records if tag == "base"), None)
        if stated is None:
            return self._url
        try:
            return urljoin(self._url or "", stated) or None
        except ValueError:  # for example http://[bad
            return self._url

    @property
    def _changes_blocks(self) -> bool:
        """Whether the options change which blocks are written, or which marks are written in them."""
        return self.is_selected or self._options.keep != DEFAULT.keep


def extract(html: bytes, url: str | None = None) -> str:
    """Return the main text of a page; empty if there is none or *html* is not markup.

    Raises:
        TypeError: *html* is a `str`. The encoding of a page is detected from its bytes.

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
    """Read a page: its text, its blocks and its metadata.

    Args:
        html: The body as sent, after content decoding.
        url: Address of the page. It selects `options.sites`, resolves links, and hints at the kind of page.
        media_type: The value of `Content-Type`, including its charset.
        fetched_at: When it was fetched. Later days are not accepted as dates of publication.

    Raises:
        DataError: The body is too large (`too_large`), has too many pieces of text (`too_complex`), or is not text
            (`not_html`).
        TypeError: *html* is a `str`.
    """
    if isinstance(html, str):
        raise TypeError("a page must be bytes, got str: use the body as sent, or text.encode()")
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
    return Page(
        reading,
        url=url,
        options=options,
        is_selected=is_selected,
        fetched_at=fetched_at,
        has_article_body=b'"articleBody"' in markup,
    )


def _read(markup: bytes, beta: float) -> _reader.Reading:
    try:
        reading = _reader.read(markup, shipped())
    except _reader.TooComplex as error:
        raise DataError(str(error), kind="too_complex") from error
    reading.choose(beta)
    return reading
