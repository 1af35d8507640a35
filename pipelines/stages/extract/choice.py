"""Which blocks of a page are its main content: a container is chosen by the running text in it, then it is cleaned.

The idea of scoring containers by the paragraphs below them is Readability's (Arc90, 2009; Mozilla); what is different
here is that blocks, not elements, are kept or dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.stages.extract.blocks import Block, Box, Tree
from pipelines.stages.extract.options import Favor

MIN_SCORED_CHARS: Final = 25
ENOUGH_CHARS: Final = 400
"""A choice with this many characters is taken; with fewer, a more generous one is tried."""
MIN_PROSE_CHARS: Final = 80
_COMMAS: Final = re.compile(r"[,،、，;；。]")
_SENTENCE_END: Final = re.compile(r"[.!?。！？…:][\"'”’»)\]]*$", re.MULTILINE)
_TAG_SCORES: Final = {
    **dict.fromkeys(("div", "article", "main", "section"), 5),
    **dict.fromkeys(("pre", "td", "blockquote"), 3),
    **dict.fromkeys(("address", "ol", "ul", "dl", "dd", "dt", "li", "form", "fieldset"), -3),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6", "th"), -5),
}
_LEVELS: Final = 5
"""Boxes above a paragraph that it gives points to."""


@dataclass(frozen=True)
class Bounds:
    """What a favor means: the most links of a block and of a group, the least text that stands alone."""

    max_link_density: float
    max_group_link_density: float
    sibling_share: float
    container_share: float


_BOUNDS: Final = {
    "precision": Bounds(max_link_density=0.4, max_group_link_density=0.33, sibling_share=0.3, container_share=0.1),
    "balanced": Bounds(max_link_density=0.6, max_group_link_density=0.5, sibling_share=0.2, container_share=0.5),
    "recall": Bounds(max_link_density=0.9, max_group_link_density=0.8, sibling_share=0.1, container_share=0.7),
}


def main_blocks(tree: Tree, favor: Favor = "balanced") -> list[Block]:
    """Give the blocks of the main content, in order; of a page without running text, what is not navigation.

    The best container is taken, unless it leaves too little, or most of the page's running text outside it: then the
    page has no one container (forums, listings), and every part without a bad name counts. So it does on a page whose
    markup names no part at all, neither content nor navigation (generated reference documentation, old pages).
    """
    bounds = _BOUNDS[favor]
    every = tree.blocks
    named = [block for block in every if not block.box.is_bad]
    whole = _cleaned(named, bounds)
    is_marked = any(box.is_bad or box.in_main for box in tree.boxes)
    attempts: tuple[Callable[[], list[Block]], ...] = (
        lambda: _cleaned(_in_best_container(tree, named, bounds), bounds) if is_marked else whole,
        lambda: whole,
        lambda: _cleaned(_in_best_container(tree, every, bounds), bounds),
        lambda: [block for block in every if block.link_density <= bounds.max_link_density],
    )
    least = max(ENOUGH_CHARS, round(bounds.container_share * _chars(_prose(whole))))
    best: list[Block] = []
    for attempt in attempts:
        chosen = attempt()
        if _chars(chosen) >= least:
            return chosen
        best = max(best, chosen, key=_chars)
    return best


def _prose(blocks: Sequence[Block]) -> list[Block]:
    """Give the blocks that are long enough to be running text."""
    return [block for block in blocks if len(block.text) >= MIN_PROSE_CHARS and block.kind != "heading"]


def _chars(blocks: Sequence[Block]) -> int:
    return sum(len(block.text) for block in blocks)


def _in_best_container(tree: Tree, blocks: Sequence[Block], bounds: Bounds) -> list[Block]:
    """Give the blocks in the best container and in those beside it that look alike."""
    candidates = _scored(tree, blocks)
    if not candidates:
        return list(blocks)
    top = _top(candidates)
    kept = {id(box) for box in _with_siblings(top, candidates, bounds)}
    return [block for block in blocks if _is_within(block.box, kept)]


def _scored(tree: Tree, blocks: Sequence[Block]) -> list[Box]:
    """Give the boxes that paragraphs gave points to, best first; the score is set on them."""
    for box in tree.boxes:
        box.score, box.is_candidate = 0.0, False
    candidates: list[Box] = []
    for block in blocks:
        length = len(block.text)
        if length < MIN_SCORED_CHARS or block.kind == "heading":
            continue
        points = 1 + len(_COMMAS.findall(block.text)) + min(length // 100, 3)
        _give(points * (1 - block.link_density), block.box, candidates)
    for box in candidates:
        box.score *= 1 - min(1.0, box.link_chars / max(1, box.chars))
    return sorted(candidates, key=lambda box: -box.score)


def _give(points: float, box: Box | None, candidates: list[Box]) -> None:
    """Give *points* to the boxes above a paragraph, fewer the further up."""
    if box is not None and box.tag in ("p", "pre", "li", "td", "dd", "blockquote", "dt"):
        box = box.parent
    for level in range(_LEVELS):
        if box is None or box.parent is None:
            return
        if not box.is_candidate:
            box.is_candidate = True
            box.score = _TAG_SCORES.get(box.tag, 0) + 25 * box.hint
            candidates.append(box)
        box.score += points / (1 if level == 0 else 2 if level == 1 else level * 3)
        box = box.parent


def _top(candidates: Sequence[Box]) -> Box:
    """Give the best candidate, or the box above it when that holds several others nearly as good."""
    top = candidates[0]
    rivals = [box for box in candidates[1:5] if box.score >= 0.75 * top.score]
    if len(rivals) >= 3:
        above = top.parent
        while above is not None and above.tag not in ("body", "html", "#page"):
            if sum(_is_within(box, {id(above)}) for box in rivals) >= 3:
                return above
            above = above.parent
    return _climbed(top)


def _climbed(top: Box) -> Box:
    """Go up as long as the score grows: a better box may lie above one that holds a single section."""
    last, least = top.score, top.score / 3
    above = top.parent
    while above is not None and above.tag not in ("body", "html", "#page"):
        if above.is_candidate:
            if above.score < least:
                break
            if above.score > last:
                top = above
                break
            last = above.score
        above = above.parent
    while (
        top.parent is not None and top.parent.tag not in ("body", "html", "#page") and top.parent.blocks == top.blocks
    ):
        top = top.parent
    return top


def _with_siblings(top: Box, candidates: Sequence[Box], bounds: Bounds) -> list[Box]:
    """Give *top* and the boxes beside it with a good score, or that are a paragraph of running text."""
    least = max(10.0, top.score * bounds.sibling_share)
    kept = [top]
    for box in candidates:
        if box is not top and box.parent is top.parent:
            bonus = 0.2 * top.score if box.names and box.names == top.names else 0.0
            if box.score + bonus >= least:
                kept.append(box)
    return kept


def _is_within(box: Box | None, kept: set[int]) -> bool:
    while box is not None:
        if id(box) in kept:
            return True
        box = box.parent
    return False


def _cleaned(blocks: Sequence[Block], bounds: Bounds) -> list[Block]:
    """Leave out lists of links, and headings with nothing under them."""
    group: dict[int, list[int]] = {}
    for block in blocks:
        holder = _group(block)
        counts = group.setdefault(id(holder), [0, 0])
        counts[0] += len(block.text)
        counts[1] += block.link_chars
    kept = [
        block
        for block in blocks
        if block.kind == "heading"
        or (block.link_density <= bounds.max_link_density and _is_prose_enough(block, group[id(_group(block))], bounds))
    ]
    return _without_lone_headings(kept)


def _group(block: Block) -> Box:
    """Give the list, table or box that *block* is one of several parts of."""
    box = block.box
    while box.parent is not None and box.tag in ("li", "p", "td", "th", "tr", "tbody", "thead", "dt", "dd"):
        box = box.parent
    return box


def _is_prose_enough(block: Block, group: Sequence[int], bounds: Bounds) -> bool:
    return group[1] <= bounds.max_group_link_density * group[0] or (
        len(block.text) > 80 and _SENTENCE_END.search(block.text) is not None
    )


def _without_lone_headings(blocks: Sequence[Block]) -> list[Block]:
    """Drop a heading that only headings of its own level or a higher one follow, and headings at the end."""
    kept: list[Block] = []
    next_level = 0
    for block in reversed(blocks):
        if block.kind == "heading":
            if block.level >= next_level:
                continue
            next_level = block.level
        else:
            next_level = 7
        kept.append(block)
    return kept[::-1]
