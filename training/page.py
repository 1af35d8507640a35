"""The HTML page and the model card of a run: model, data and results, without JavaScript or external resources."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any, Final

Point = tuple[float, float]

_WIDTH: Final = 720
_HEIGHT: Final = 320
_LEFT: Final = 48
_BOTTOM: Final = 36
_TOP: Final = 12
_MOST_POINTS: Final = 600
"""Maximum number of points of a curve; more are indistinguishable at this width."""

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #656d76; --line: #d8dee4; --one: #0969da; --two: #bc4c00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9198a1; --line: #3d444d; --one: #4493f8; --two: #f0883e; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .2rem 1.5rem .2rem 0; vertical-align: top; }
th { color: var(--soft); font-weight: 400; }
svg { width: 100%; height: auto; } svg text { fill: var(--soft); font-size: 12px; }
.grid { stroke: var(--line); } .one { stroke: var(--one); } .two { stroke: var(--two); }
polyline { fill: none; stroke-width: 1.5; } .two { stroke-width: 2.5; }
rect.one { fill: var(--one); } rect.two { fill: var(--two); }
"""


def run_page(summary: dict[str, Any], metrics: Sequence[dict[str, Any]]) -> str:
    """Return the HTML page of a run.

    Args:
        summary: Facts about the run, in display order.
        metrics: The lines of `metrics.jsonl`.
    """
    title = f"Training run {summary.get('run', '')}"
    rows = "".join(f"<tr><th>{escape(_label(name))}<td>{escape(_shown(value))}" for name, value in summary.items())
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>\n'
        f"<h1>{escape(title)}</h1>\n<h2>Loss</h2>\n{loss_curve(metrics)}\n<h2>Facts</h2>\n<table>{rows}</table></html>\n"
    )


def loss_curve(metrics: Sequence[dict[str, Any]]) -> str:
    """Return an SVG of training loss (smoothed) and validation loss, in nats per token, by step."""
    train = _thinned([(line["step"], line["loss"]) for line in metrics])
    validation = [
        (line["step"], line["validation_loss"]) for line in metrics if line.get("validation_loss") is not None
    ]
    points = train + validation
    if not points:
        return "<p>No step has finished yet.</p>"
    last = max(step for step, _ in points)
    low, high = math.floor(min(loss for _, loss in points)), math.ceil(max(loss for _, loss in points))
    scale = _Scale(last=last, low=low, high=max(high, low + 1))
    curves = [_polyline(train, scale, "one"), _polyline(validation, scale, "two")]
    label = f"Loss by step: training ends at {train[-1][1]:.2f}"
    label += f", validation at {validation[-1][1]:.2f}" if validation else ""
    inside = "".join([*_axes(scale), *curves, *_legend(validation=bool(validation))])
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{inside}</svg>'


def model_card(summary: dict[str, Any], *, sample: str | None) -> str:
    """Return the model card: Markdown with the facts in *summary*, and a *sample* if the model generates text."""
    model = summary.get("model", {}).get("name")
    facts = "\n".join(
        f"| {_label(name)} | {_shown(value).replace('|', chr(92) + '|')} |" for name, value in summary.items()
    )
    return f"""# {summary.get("run", "")}

A small language model (`{model}`), trained from scratch on one version of a data set. `config.yaml` and that version
reproduce it, with the same losses on the same machine with the same number of threads.

| | |
|---|---|
{facts}

{_measured(summary)}

## Uses and limits

The model shows that the corpus can be trained on, and how corpora compare. It is far too small to answer questions: its
output resembles its training text and is not reliable. It may repeat passages of that text, whose licenses are listed
on the data card of the version.

{_quoted(sample)}"""


def _measured(summary: dict[str, Any]) -> str:
    texts = summary.get("validated_on") or "the split `validation`"
    windows = "with independent documents, in\nwindows of the sequence length that do not overlap."
    if summary.get("masked_accuracy") is not None:
        return (
            f"Masked tokens are predicted on {texts}, {windows} Loss is in nats per masked token, and accuracy\n"
            "the part of masked tokens that is predicted. Both can only be compared between models with this tokenizer "
            "and this\nchoice of masks. `corpusmill evaluate` measures the whole split."
        )
    return (
        f"Bits per byte are measured on {texts}, {windows} Loss is in nats per token and can only be compared between "
        "models\nwith this tokenizer; bits per byte can be compared between any models on the same texts. "
        "`corpusmill evaluate` measures\nthe whole split."
    )


def _quoted(sample: str | None) -> str:
    if sample is None:
        return ""
    lines = "\n".join(f"    {line}" for line in sample.strip("\n").splitlines())
    return f"## A sample\n\n{lines}\n"


class _Scale:
    """Maps (step, loss) to positions on the page."""

    def __init__(self, *, last: float, low: float, high: float) -> None:
        self.last, self.low, self.high = max(last, 1), low, high

    def x(self, step: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - 8) * step / self.last

    def y(self, loss: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (self.high - loss) / (self.high - self.low)


def _thinned(points: list[Point]) -> list[Point]:
    """Return the means of equal parts of *points*, at most `_MOST_POINTS`."""
    size = max(1, -(-len(points) // _MOST_POINTS))
    parts = (points[start : start + size] for start in range(0, len(points), size))
    return [(part[-1][0], sum(loss for _, loss in part) / len(part)) for part in parts]


def _polyline(points: list[Point], scale: _Scale, name: str) -> str:
    path = " ".join(f"{scale.x(step):.1f},{scale.y(loss):.1f}" for step, loss in points)
    return f'<polyline class="{name}" points="{path}"/>' if points else ""


def _axes(scale: _Scale) -> list[str]:
    size = max(1, round((scale.high - scale.low) / 6))
    marks = []
    for loss in range(int(scale.low), int(scale.high) + 1, size):
        y = scale.y(loss)
        marks.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}"/>')
        marks.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{loss}</text>')
    for part in range(5):
        step = round(scale.last * part / 4)
        marks.append(f'<text x="{scale.x(step):.1f}" y="{_HEIGHT - 18}" text-anchor="{_anchor(part)}">{step:,}</text>')
    marks.append(f'<text x="{_LEFT}" y="{_HEIGHT - 3}">step</text>')
    return marks


def _anchor(part: int) -> str:
    return {0: "start", 4: "end"}.get(part, "middle")


def _legend(*, validation: bool) -> list[str]:
    names = [("one", "training"), *([("two", "validation")] if validation else [])]
    return [
        f'<rect class="{name}" x="{_WIDTH - 110}" y="{_TOP + 6 + 20 * row}" width="12" height="4"/>'
        f'<text x="{_WIDTH - 92}" y="{_TOP + 12 + 20 * row}">{text}</text>'
        for row, (name, text) in enumerate(names)
    ]


def _label(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    match value:
        case None:
            return "–"
        case float():
            return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}"
        case dict():
            return ", ".join(f"{_label(key)} {_shown(item)}" for key, item in value.items())
        case _:
            return str(value)
