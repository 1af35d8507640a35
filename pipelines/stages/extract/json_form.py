"""A page as JSON: its text, its metadata, and every block with the score that decided whether to keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corpusmill.pipelines.stages.extract.content import Block, Span

if TYPE_CHECKING:
    from corpusmill.pipelines.stages.extract.metadata import Metadata
    from corpusmill.pipelines.stages.extract.page import Page


def record(page: Page, *, file: str) -> dict[str, Any]:
    """Return *page* as one JSON document.

    Keys: `file`, `title`, `text`, `metadata` (each value with its source), `blocks` (all blocks of the page, in order).
    """
    return {
        "file": file,
        "title": page.title,
        "text": page.text,
        "metadata": stated(page.metadata),
        "blocks": [described(block) for block in page.blocks],
    }


def stated(metadata: Metadata) -> dict[str, dict[str, str]]:
    """Return the metadata that a page states, each value with its source."""
    return {name: {"value": value, "source": source} for name, (value, source) in metadata.as_text().items()}


def described(block: Block) -> dict[str, Any]:
    """Return a block with its kind, score and path, and other fields if they are set.

    >>> described(Block("heading", "Sizes", level=2, score=0.973, path="body > h2"))
    {'kind': 'heading', 'text': 'Sizes', 'kept': True, 'score': 0.973, 'path': 'body > h2', 'level': 2}
    """
    fields: dict[str, Any] = {
        "kind": block.kind,
        "text": block.text,
        "kept": block.kept,
        "score": round(block.score, 3),
        "path": block.path,
    }
    if block.level:
        fields["level"] = block.level
    for name in ("group", "row", "column"):
        if (number := getattr(block, name)) >= 0:
            fields[name] = number
    if block.marker:
        fields["marker"] = block.marker
    if block.is_comment:
        fields["is_comment"] = True
    if block.spans:
        fields["spans"] = [_marked(span, block.text) for span in block.spans]
    return fields


def _marked(span: Span, text: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"kind": span.kind, "start": span.start, "text": text[span.start : span.end] or span.alt}
    return fields | {"target": span.target} if span.target else fields
