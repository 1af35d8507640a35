"""Blocks to text: paragraphs apart by an empty line, items and table rows one under the other."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.stages.extract.blocks import Block


def render(blocks: Sequence[Block]) -> str:
    """Write *blocks* as plain text.

    Paragraphs, headings, quotes and preformatted text are separated by an empty line; list items begin with ``- `` and
    follow each other on lines of their own, as the rows of a table do, whose cells are joined by `` | ``.
    """
    parts: list[str] = []
    before: Block | None = None
    for block in blocks:
        if before is not None:
            parts.append(_between(before, block))
        parts.append(f"- {block.text}" if block.kind == "item" else block.text)
        before = block
    return "".join(parts)


def _between(before: Block, block: Block) -> str:
    if block.kind == before.kind == "item":
        return "\n"
    if block.kind == before.kind == "cell" and block.row is not None and before.row is not None:
        if block.row is before.row and block.box is not before.box and "\n" not in before.text + block.text:
            return " | "
        if block.row is not before.row and block.row.parent is before.row.parent:
            return "\n"
    return "\n\n"
