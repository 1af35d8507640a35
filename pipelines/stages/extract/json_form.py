"""A page as JSON: its text, what it states about itself, and every block with what speaks for keeping it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corpusmill.pipelines.stages.extract.content import Block, Span

if TYPE_CHECKING:
    from corpusmill.pipelines.stages.extract.metadata import Metadata
    from corpusmill.pipelines.stages.extract.page import Page


def record(page: Page, *, file: str) -> dict[str, Any]:
    """Give *page* as one JSON document.

    Keys: `file`, `title`, `text`, `metadata` (each value with its source), `blocks` (all of the page, in order).
    """
    return {
        "file": file,
        "title": page.title,
        "text": page.text,
        "metadata": stated(page.metadata),
        "blocks": [described(block) for block in page.blocks],
    }


def stated(metadata: Metadata) -> dict[str, dict[str, str]]:
    """Give what a page states, with the place where it stood."""
    return {name: {"value": value, "source": source} for name, (value, source) in metadata.found().items()}


def described(block: Block) -> dict[str, Any]:
    """Give a block with its kind, its score and its path; other fields where they say something.

    >>> described(Block("heading", "Sizes", level=2, score=0.973, path="body > h2"))
    {'kind': 'heading', 'text': 'Sizes', 'kept': True, 'score': 0.973, 'path': 'body > h2', 'level': 2}
    """
    told: dict[str, Any] = {
        "kind": block.kind,
        "text": block.text,
        "kept": block.kept,
        "score": round(block.score, 3),
        "path": block.path,
    }
    if block.level:
        told["level"] = block.level
    for name in ("group", "row", "column"):
        if (number := getattr(block, name)) >= 0:
            told[name] = number
    if block.marker:
        told["marker"] = block.marker
    if block.is_comment:
        told["is_comment"] = True
    if block.spans:
        told["spans"] = [_marked(span, block.text) for span in block.spans]
    return told


def _marked(span: Span, text: str) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": span.kind, "start": span.start, "text": text[span.start : span.end] or span.alt}
    return told | {"target": span.target} if span.target else told
