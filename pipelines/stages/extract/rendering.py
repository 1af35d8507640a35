"""Write blocks as plain text: paragraphs separated by empty lines, items and table rows on consecutive lines.

Words are not changed. Only markers are added: ``- `` and ``3. `` before items, `` | `` between cells, and superscripts
and subscripts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from corpusmill.pipelines.stages.extract import inline, raised, tables
from corpusmill.pipelines.stages.extract.content import Block

_INDENT: Final = "  "
_MAX_DEPTH: Final = 12
"""Depth of nested lists up to which items are indented further."""


def plain_text(blocks: Sequence[Block], *, links: bool = False, images: bool = False, base: str | None = None) -> str:
    """Write the kept *blocks* as plain text.

    Args:
        links: Write links as ``[text](address)``.
        images: Write the alternative text of images in brackets: ``[A map]``.
        base: Address of the page; relative addresses become absolute.

    >>> print(plain_text([Block("heading", "Sizes"), Block("item", "small", level=1, marker="1.")]))
    Sizes
    <BLANKLINE>
    1. small
    """
    parts: list[str] = []
    run: list[Block] = []  # consecutive items, or cells of one table
    run_kind = ""
    for block in blocks:
        if not block.kept:
            continue
        if block.text[-1:] in inline.PERMALINKS and block.kind != "pre":
            block = inline.without_permalink(block)
        if block.spans:
            block = _marked(block, links=links, images=images, base=base)
        kind, text = block.kind, block.text
        if run_kind and (kind != run_kind or (kind == "cell" and block.group != run[0].group)):
            parts.append(_together(run))
            run, run_kind = [], ""
        if not text:
            continue
        if kind == "item" or kind == "cell":
            run.append(block)
            run_kind = kind
        else:
            parts.append(text)
    if run:
        parts.append(_together(run))
    return "\n\n".join(parts)


def _together(run: Sequence[Block]) -> str:
    return _items(run) if run[0].kind == "item" else _table(run)


def _items(run: Sequence[Block]) -> str:
    """Write items on consecutive lines, nested lists indented, and adjacent lists separated."""
    parts: list[str] = []
    lists: list[tuple[int, int]] = []  # level and group of the open lists
    indent = ""
    item = group = level = -1
    for block in run:
        text, row = block.text, block.row
        if lists and block.group == group and block.level == level:
            is_new, start = False, "\n"
        else:
            level, group = block.level, block.group
            is_new, start = _nested(lists, level, group)
            indent = _INDENT * min(len(lists) - 1, _MAX_DEPTH)
        if is_new or row != item or row < 0:
            start += f"{indent}{block.marker or '-'} "
        else:  # another paragraph of the same item
            start += indent + _INDENT
        item = row
        parts += start, text.replace("\n", f"\n{indent}{_INDENT}") if "\n" in text else text
    return "".join(parts)


def _nested(lists: list[tuple[int, int]], level: int, group: int) -> tuple[bool, str]:
    """Close and open *lists* for an item. Return whether its list is new, and the indent of its line."""
    is_first = not lists
    while lists and lists[-1][0] > level:
        lists.pop()
    is_new = not lists or lists[-1] != (level, group)
    if is_new and lists and lists[-1][0] == level:
        lists.pop()
    before = "" if is_first else "\n\n" if is_new and not lists else "\n"
    if is_new:
        lists.append((level, group))
    return is_new, before


def _table(cells: Sequence[Block]) -> str:
    """Write one line per row; write a layout table as its paragraphs."""
    rows = tables.rows(cells)
    if rows is None:
        return "\n\n".join([cell.text for cell in cells])
    return "\n".join([" | ".join(row.cells).lstrip() for row in rows])


def _marked(block: Block, *, links: bool, images: bool, base: str | None) -> Block:
    """Return *block* with exponents, indices, links and images written into its text."""
    text = block.text
    pieces: list[str] = []
    after = 0
    for start, end, inserted in _changes(block, links=links, images=images, base=base):
        pieces += text[after:start], inserted
        after = max(after, end)
    return block._replace(text="".join([*pieces, text[after:]])) if pieces else block


def _changes(block: Block, *, links: bool, images: bool, base: str | None) -> Iterator[raised.Change]:
    """Yield the replacements in order. Insertions within an exponent come before it."""
    raisings = list(raised.changes(block))
    insertions = _insertions(block, links=links, images=images, base=base) if links or images else []
    changes = [(start, 1, raised.Change(start, end, text)) for start, end, text in raisings]
    for place, text in insertions:
        place = next((start for start, end, _ in raisings if start < place < end), place)
        changes.append((place, 0, raised.Change(place, place, text)))
    yield from (change for _, _, change in sorted(changes, key=lambda entry: entry[:2]))


def _insertions(block: Block, *, links: bool, images: bool, base: str | None) -> list[tuple[int, str]]:
    """Return the positions of insertions and the inserted texts, in order."""
    text = block.text
    insertions: list[tuple[int, int, str]] = []
    for link in inline.apart(span for span in block.spans if links and span.kind == "link"):
        target = inline.address(link.target, base)
        if target:
            insertions += [(link.start, 1, "["), (link.end, 0, f"]({target})")]
    for image in block.spans:
        if images and image.kind == "image" and (alt := " ".join(image.alt.split())):
            place = min(image.start, len(text))
            insertions.append((place, 2, inline.spaced(f"[{alt}]" if inline.is_word(alt) else alt, text, place)))
    return [(place, inserted) for place, _, inserted in sorted(insertions)]
