"""Render figures as an HTML page of bounded size."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from corpusmill.pipelines.dataset.recorded import are_all_installed, first_on_personal_data, recorded_stages
from corpusmill.pipelines.reports import wording
from corpusmill.pipelines.reports.crawls import result_label
from corpusmill.pipelines.reports.drawings import drawings

TEMPLATES: Final = Path(__file__).parent / "templates"
MAX_BYTES: Final = 290_000
"""Largest size of the page; examples and tables are shortened until it fits."""
_ROWS: Final = 12
_LENGTHS: Final = (300, 160, 80, 0)
"""Characters of an example, tried in this order until the page fits."""


def render(figures: dict[str, Any]) -> str:
    """Return the page for *figures*, of at most `MAX_BYTES`."""
    pages = (_rendered(figures, text_length=length) for length in _LENGTHS)
    return next((page for page in pages if len(page.encode()) <= MAX_BYTES), None) or _rendered(
        figures, text_length=None
    )


def _rendered(figures: dict[str, Any], *, text_length: int | None) -> str:
    """Return the page with examples of *text_length* characters; None omits them and halves the tables."""
    template = _environment().get_template("report.html")
    stages = recorded_stages(figures["stages"])
    return template.render(
        f=figures,
        charts=drawings(figures),
        personal=first_on_personal_data(stages),
        is_known=are_all_installed(stages),
        text_length=text_length or 0,
        show_examples=text_length is not None,
        rows=_ROWS if text_length is not None else _ROWS // 2,
        created=datetime.fromisoformat(figures["created_at"]).astimezone(UTC).strftime("%-d %B %Y, %H:%M UTC"),
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "count": wording.count,
        "size": wording.size,
        "percent": wording.percent,
        "seconds": wording.seconds,
        "value": wording.value,
        "cut": wording.shortened,
        "short": wording.short_count,
        "breakable": wording.breakable,
        "prose": prose,
        "figure": figure,
        "difference": difference,
        "result_label": result_label,
        "stage_name": stage_name,
        "stage_params": stage_params,
    }
    environment.filters.update(filters)
    return environment


def prose(text: str) -> Markup:
    """Return *text* as markup, with the parts between backticks as code.

    >>> prose("by `a<b`")
    Markup('by <code>a&lt;b</code>')
    """
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part) for index, part in enumerate(parts)
    )


_FORMATS: Final[dict[str, Callable[[float], str]]] = {
    "count": wording.count,
    "size": wording.size,
    "percent": wording.percent,
    "seconds": wording.seconds,
}


def figure(number: float | None, kind: str) -> str:
    """Format *number* by its *kind*."""
    return "–" if number is None else _FORMATS[kind](number)


def difference(row: dict[str, Any]) -> str:
    """Format the difference of a row of a comparison, with its sign.

    >>> difference({"difference": -5, "kind": "count", "there": 50})
    '−5 (−10 %)'
    """
    number = row["difference"]
    if number is None:
        return "–"
    if number == 0:
        return "="
    sign = "+" if number > 0 else "−"
    if row["kind"] == "percent":
        return f"{sign}{100 * abs(number):.1f} points"
    relative = (
        f" ({sign}{abs(number) / row['there']:.3g} ×)" if row["there"] and abs(number) > row["there"] * 9.995 else ""
    )
    if row["there"] and not relative:
        relative = f" ({sign}{100 * abs(number) / row['there']:.3g} %)"
    return f"{sign}{_FORMATS[row['kind']](abs(number))}{relative}"


def stage_name(entry: Any) -> str:
    """Return the name of a recipe's stage."""
    return entry if isinstance(entry, str) else str(next(iter(entry)))


def stage_params(entry: Any) -> str:
    """Return the parameters of a recipe's stage in one line."""
    if isinstance(entry, str):
        return ""
    params = next(iter(entry.values())) or {}
    return ", ".join(f"{name}: {wording.shortened(_written(value), 80)}" for name, value in params.items())


def _written(value: Any) -> str:
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list | tuple) else str(value)
