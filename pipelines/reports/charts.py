"""Draw charts as SVG of any width, without scripts. All functions are pure.

Horizontal positions are percentages and text is in pixels, so a chart is readable on a phone too. Colors are custom
properties of the page (`--accent`, `--rejected`, `--quiet`, `--line`), so they follow its light or dark mode. All text
from data is escaped. Each chart has a title and a description for screen readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

_ROW: Final = 34
_BAR: Final = 8
_STAGE: Final = 40
_LABELS: Final = 16
"""Pixels below a histogram for its labels."""
_MAX_DESCRIBED: Final = 12


@dataclass(frozen=True)
class Bar:
    """A labeled value and its rejected part; `text` is drawn at the right."""

    label: str
    value: float
    text: str
    rejected: float = 0.0
    quiet: bool = False
    """Whether the bar is drawn without emphasis, as for unknown and other values."""


@dataclass(frozen=True)
class Mark:
    """A vertical line at *place* (0 to 1) of a histogram."""

    place: float
    label: str


@dataclass(frozen=True)
class Flow:
    """A stage: the amounts that came in, went on and were removed; `text` is the amount that went on."""

    label: str
    came: float
    went: float
    taken: float
    text: str
    taken_text: str


def bars(items: Sequence[Bar], *, title: str) -> Markup:
    """Draw bars below each other, each under its label; the longest one has the full width."""
    longest = max((item.value for item in items), default=0) or 1
    shapes = [shape for row, item in enumerate(items) for shape in _bar(item, row * _ROW, longest)]
    description = "; ".join(f"{item.label}: {item.text}" for item in items[:_MAX_DESCRIBED])
    return _svg(shapes, height=_ROW * len(items), title=title, description=description)


def _bar(item: Bar, top: int, longest: float) -> Iterable[Markup]:
    yield _text(item.label, x="0", y=top + 12)
    yield _text(item.text, x="100%", y=top + 12, kind="number end")
    yield _rect(0, 1, y=top + 18, height=_BAR, kind="track")
    kept = item.value - item.rejected
    if kept > 0:
        yield _rect(0, kept / longest, y=top + 18, height=_BAR, kind="quiet" if item.quiet else "accent")
    if item.rejected > 0:
        yield _rect(kept / longest, item.rejected / longest, y=top + 18, height=_BAR, kind="rejected")


def histogram(
    kept: Sequence[float],
    *,
    title: str,
    description: str,
    labels: Sequence[tuple[float, str]] = (),
    marks: Sequence[Mark] = (),
    rejected: Sequence[float] = (),
    height: int = 120,
) -> Markup:
    """Draw counts as columns of equal width, the rejected ones on top of the kept ones.

    Args:
        labels: Position (0 to 1) and text of each label below the axis.
        marks: Thresholds, drawn as dashed lines with a label at the top.
    """
    taken = list(rejected) or [0.0] * len(kept)
    highest = max((a + b for a, b in zip(kept, taken, strict=True)), default=0) or 1
    top = 14 if marks else 2
    scale = (height - top) / highest
    lower = _columns([0.0] * len(kept), kept, scale=scale, base=height)
    upper = _columns(kept, taken, scale=scale, base=height)
    shapes = [_stretched(lower, "accent", height), _stretched(upper, "rejected", height) if any(taken) else Markup("")]
    shapes.append(Markup('<line class="axis" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(height - 0.5))
    shapes += [shape for mark in marks for shape in _mark(mark, height)]
    shapes += [_text(text, x=f"{_number(100 * x)}%", y=height + 13, kind=_anchor(x)) for x, text in labels]
    return _svg(shapes, height=height + (_LABELS if labels else 2), title=title, description=description)


def _columns(below: Sequence[float], counts: Sequence[float], *, scale: float, base: int) -> str:
    """Return the path of columns on top of *below*, in a box 1000 wide. A count above 0 is always visible."""
    width = 1000 / max(1, len(counts))
    parts = []
    for index, (start, number) in enumerate(zip(below, counts, strict=True)):
        if number > 0:
            rise = max(2.0, number * scale)
            x, y = index * width + width * 0.08, base - start * scale
            parts.append(f"M{_number(x)} {_number(y)}v{_number(-rise)}h{_number(width * 0.84)}v{_number(rise)}z")
    return "".join(parts)


def _stretched(path: str, kind: str, height: int) -> Markup:
    if not path:
        return Markup("")
    return Markup(
        '<svg x="0" y="0" width="100%" height="{0}" viewBox="0 0 1000 {0}" preserveAspectRatio="none">'
        '<path class="{1}" d="{2}"/></svg>'
    ).format(height, kind, path)


def _mark(mark: Mark, height: int) -> Iterable[Markup]:
    place = min(1.0, max(0.0, mark.place))
    x = f"{_number(100 * place)}%"
    yield Markup('<line class="mark" x1="{0}" x2="{0}" y1="13" y2="{1}"/>').format(x, height)
    yield _text(mark.label, x=x, y=10, kind=f"{_anchor(place)} warn")


def _anchor(place: float) -> str:
    return "start" if place < 0.12 else "end" if place > 0.88 else "middle"


def stacked_bar(parts: Sequence[Bar], *, title: str) -> Markup:
    """Draw shares of a whole as one bar; its parts fade from the accent color in order."""
    total = sum(part.value for part in parts) or 1
    shapes, start = [_rect(0, 1, y=0, height=18, kind="track")], 0.0
    for index, part in enumerate(parts):
        shapes.append(_rect(start, part.value / total, y=0, height=18, kind=f"part-{index % 4}"))
        start += part.value / total
    description = "; ".join(f"{part.label}: {part.text}" for part in parts[:_MAX_DESCRIBED])
    return _svg(shapes, height=18, title=title, description=description)


def funnel(stages: Sequence[Flow], *, title: str) -> Markup:
    """Draw stages from top to bottom, with the removed amount at the side."""
    widest = max((max(stage.came, stage.went + stage.taken) for stage in stages), default=0) or 1
    shapes: list[Markup] = []
    for row, stage in enumerate(stages):
        top = row * _STAGE
        if row:
            shapes.append(_rect(0, min(stage.came, stages[row - 1].went) / widest, y=top - 7, height=30, kind="flow"))
        shapes += [
            _text(stage.label, x="6", y=top + 15, kind="strong"),
            _amounts(stage, top + 15),
            _rect(0, stage.went / widest, y=top + 23, height=10, kind="accent"),
        ]
        if stage.taken:
            shapes.append(_rect(stage.went / widest, stage.taken / widest, y=top + 23, height=10, kind="rejected"))
    described = "; ".join(
        f"{stage.label}: {stage.text} {stage.taken_text}".strip() for stage in stages[:_MAX_DESCRIBED]
    )
    return _svg(shapes, height=_STAGE * len(stages), title=title, description=described)


def _amounts(stage: Flow, y: int) -> Markup:
    went = Markup('<tspan dx="{}">{}</tspan>').format(9 if stage.taken_text else 0, stage.text)
    return Markup('<text class="number end" x="100%" y="{}"><tspan class="warn">{}</tspan>{}</text>').format(
        y, stage.taken_text, went
    )


def _svg(shapes: Iterable[Markup], *, height: int, title: str, description: str) -> Markup:
    return Markup(
        '<svg class="chart" role="img" width="100%" height="{}"><title>{}</title><desc>{}</desc>{}</svg>'
    ).format(height, title, description, Markup("").join(shapes))


def _rect(start: float, width: float, *, y: int, height: int, kind: str) -> Markup:
    return Markup('<rect class="{}" x="{}%" y="{}" width="{}%" height="{}"/>').format(
        kind, _number(100 * start), y, _number(100 * max(0.0, width)), height
    )


def _text(text: str, *, x: str, y: float, kind: str = "") -> Markup:
    return Markup('<text{} x="{}" y="{}">{}</text>').format(
        Markup(' class="{}"').format(kind) if kind else "", x, _number(y), escape(text)
    )


def _number(value: float) -> str:
    """Write a coordinate with at most two decimals.

    >>> _number(12.0), _number(0.125)
    ('12', '0.12')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")
