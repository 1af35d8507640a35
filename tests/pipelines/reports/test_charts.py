from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from corpusmill.pipelines.reports.charts import Bar, Flow, Mark, bars, funnel, histogram, stacked_bar

NAMESPACE = "{http://www.w3.org/2000/svg}"
printable = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=30)
amounts = st.floats(0, 1e12)


def parsed(markup: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(str(markup).replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1))


@given(st.lists(st.builds(Bar, label=printable, value=amounts, text=printable), max_size=6), printable)
def test_charts_are_well_formed_whatever_the_data_says(items: list[Bar], title: str) -> None:
    """Labels come from the corpus, so they must be escaped."""
    for chart in (bars(items, title=title), stacked_bar(items, title=title)):
        root = parsed(chart)
        assert root.findtext(f"{NAMESPACE}title", "") == title


@given(st.lists(st.tuples(amounts, amounts, amounts), max_size=8), printable)
def test_a_funnel_stays_inside_its_width(stages: list[tuple[float, float, float]], label: str) -> None:
    """No bar may be wider than the chart."""
    flows = [Flow(label, came, went, taken, "text", "") for came, went, taken in stages]

    for rect in parsed(funnel(flows, title="funnel")).iter(f"{NAMESPACE}rect"):
        end = float(rect.get("x", "0%").rstrip("%")) + float(rect.get("width", "0%").rstrip("%"))
        assert end <= 100.02


@given(st.lists(st.integers(0, 10**9), max_size=40))
def test_a_histogram_shows_every_bin_that_has_something(counts: list[int]) -> None:
    """A bin with one document must be visible beside one with a million."""
    root = parsed(histogram(counts, title="histogram", description="", marks=[Mark(0.5, "≥ 3")]))

    columns = sum((path.get("d") or "").count("M") for path in root.iter(f"{NAMESPACE}path"))
    assert columns == sum(count > 0 for count in counts)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: bars([], title="t"),
        lambda: stacked_bar([], title="t"),
        lambda: funnel([], title="t"),
        lambda: histogram([], title="t", description=""),
    ],
)
def test_a_chart_of_nothing_is_empty_and_well_formed(draw: Callable[[], Markup]) -> None:
    """Empty versions also have charts."""
    assert parsed(draw()).tag == f"{NAMESPACE}svg"


def test_a_chart_has_a_description_for_screen_readers() -> None:
    """Title and description have the numbers as text."""
    root = parsed(bars([Bar("en", 3, "3 · 75 %"), Bar("fr", 1, "1 · 25 %")], title="Documents by language"))

    assert root.get("role") == "img"
    assert root.findtext(f"{NAMESPACE}title") == "Documents by language"
    assert root.findtext(f"{NAMESPACE}desc") == "en: 3 · 75 %; fr: 1 · 25 %"
