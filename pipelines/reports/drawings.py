"""Draw the charts of a report from the figures of a version."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup

from corpusmill.pipelines.reports import charts, wording
from corpusmill.pipelines.reports.signals import position

_ROWS: Final = 12
"""Bars of a chart at most; the rest becomes one bar."""
_LABEL: Final = 34
"""Characters of a label."""
_SMALL_MULTIPLES: Final = 30
_YEARS: Final = 60


def drawings(figures: dict[str, Any]) -> dict[str, Any]:
    """Return all charts of the report by name; a chart without data is None."""
    return {
        "funnel_documents": _funnel(figures, unit="documents"),
        "funnel_bytes": _funnel(figures, unit="bytes"),
        "sources": _sources(figures),
        "crawls": [_crawl(crawl) for crawl in figures["crawls"][:_ROWS]],
        "licenses": _grouped(
            figures["licenses"]["expressions"], title="Documents by license", unknown="unknown license"
        ),
        "languages": _grouped(figures["languages"], title="Documents by language", unknown="unknown language"),
        "domains": _grouped(figures["domains"], title="Documents by domain", unknown="no domain"),
        "lengths": _lengths(figures),
        "years": _years(figures),
        "clusters": _clusters(figures),
        "similarities": [(row, _similarities(row)) for row in figures["duplicates"]["similarities"][:_ROWS]],
        "splits": _splits(figures),
        "cost": _cost(figures),
        "signals": [(item, _signal(item)) for item in figures["signals"][:_SMALL_MULTIPLES]],
    }


def _funnel(figures: dict[str, Any], *, unit: str) -> Markup:
    write = wording.count if unit == "documents" else wording.size
    created, ledger = ("created", "ledger") if unit == "documents" else ("bytes_added", "bytes_ledger")
    flows = []
    for stage in figures["funnel"]:
        if _is_silent(stage):
            continue
        came = stage[f"{unit}_in"] + stage[created]
        taken = stage[ledger] + (stage["bytes_cut"] if unit == "bytes" else 0)
        share = f"−{write(taken)} · {wording.percent(taken / came)}" if taken else ""
        flows.append(
            charts.Flow(
                stage["name"], stage[f"{unit}_in"], stage[f"{unit}_out"], taken, write(stage[f"{unit}_out"]), share
            )
        )
    return charts.funnel(flows, title=f"{'Documents' if unit == 'documents' else 'Bytes of text'} through the stages")


def _is_silent(stage: dict[str, Any]) -> bool:
    """Return whether *stage* is a part of another stage (its name has a dot) and changed nothing."""
    return "." in stage["name"] and not any(stage[name] for name in ("created", "ledger", "bytes_added", "bytes_cut"))


def _label(text: str) -> str:
    return wording.shortened(text, _LABEL)


def _sources(figures: dict[str, Any]) -> Markup:
    ordered = sorted(figures["sources"], key=lambda source: (-source["read"], source["source"]))
    items = [
        charts.Bar(
            _label(source["source"]),
            source["read"],
            f"{wording.count(source['documents'])} of {wording.count(source['read'])}",
            rejected=source["rejected"],
        )
        for source in ordered[:_ROWS]
    ]
    return charts.bars(items, title="Records by source: published and rejected")


def _crawl(crawl: dict[str, Any]) -> Markup | None:
    """Draw the crawl over time; None without statistics."""
    timeline = (crawl["statistics"] or {}).get("timeline", {"intervals": []})
    intervals = timeline["intervals"]
    if not intervals:
        return None
    length, most = wording.seconds(timeline["interval_s"]), max(interval["pages"] for interval in intervals)
    return charts.histogram(
        [interval["pages"] for interval in intervals],
        rejected=[interval["others"] for interval in intervals],
        title=f"URLs over time of {_label(crawl['source'])}",
        description=f"{len(intervals)} intervals of {length} with at most {wording.plural(most, 'page')}",
        labels=((0.0, "0 s"), (1.0, wording.seconds(timeline["interval_s"] * len(intervals)))),
    )


def _grouped(rows: list[dict[str, Any]], *, title: str, unknown: str) -> Markup:
    """Draw the largest groups, then one bar for the rest, then one without emphasis for unknown values."""
    total = sum(row["documents"] for row in rows) or 1
    shown = [row for row in rows if not row["is_rest"]]
    rest = sum(row["documents"] for row in [*shown[_ROWS:], *(row for row in rows if row["is_rest"])])
    items = [
        _share_bar(unknown if row["name"] is None else row["name"], row["documents"], total, quiet=row["name"] is None)
        for row in shown[:_ROWS]
    ]
    if rest:
        items.append(_share_bar("others", rest, total, quiet=True))
    return charts.bars(items, title=title)


def _share_bar(label: str, number: int, total: int, *, quiet: bool) -> charts.Bar:
    return charts.Bar(
        _label(label), number, f"{wording.count(number)} · {wording.percent(number / total)}", quiet=quiet
    )


def _lengths(figures: dict[str, Any]) -> Markup:
    bins = figures["lengths"]["histogram"]
    labels = [
        (index / len(bins), wording.size(round(item["from"])))
        for index, item in enumerate(bins)
        if item["from"] > 0 and _is_power_of_ten(item["from"])
    ]
    if len(labels) < 2 and bins:
        labels = [(0.0, wording.size(round(bins[0]["from"]))), (1.0, wording.size(round(bins[-1]["to"])))]
    counts = [item["documents"] for item in bins]
    description = "; ".join(
        f"{wording.size(round(item['from']))} to {wording.size(round(item['to']))}: {wording.count(item['documents'])}"
        for item in bins
    )
    return charts.histogram(counts, title="Documents by length in bytes", description=description, labels=labels)


def _is_power_of_ten(number: float) -> bool:
    return round(number) >= 1 and str(round(number)).strip("0") == "1"


def _years(figures: dict[str, Any]) -> Markup | None:
    counted = {row["year"]: row["documents"] for row in figures["dates"]["years"]}
    if not counted:
        return None
    first, last = max(min(counted), max(counted) - _YEARS + 1), max(counted)
    counts = [counted.get(year, 0) for year in range(first, last + 1)]
    counts[0] += sum(number for year, number in counted.items() if year < first)
    middle = 0.5 / len(counts)
    earlier = "≤ " if min(counted) < first else ""
    labels = [(middle, f"{earlier}{first}"), *([(1 - middle, str(last))] if last > first else [])]
    description = "; ".join(f"{year}: {number}" for year, number in sorted(counted.items())[-12:])
    return charts.histogram(counts, title="Documents by year of publication", description=description, labels=labels)


def _clusters(figures: dict[str, Any]) -> Markup | None:
    rows = [row for row in figures["duplicates"]["cluster_sizes"] if row["to"] > 1]
    if not rows:
        return None
    items = [
        charts.Bar(
            f"{row['from']}–{row['to']} members" if row["from"] < row["to"] else f"{row['to']} members",
            row["clusters"],
            f"{wording.plural(row['clusters'], 'cluster')} of {wording.plural(row['documents'], 'document')}",
        )
        for row in rows
    ]
    return charts.bars(items, title="Clusters of near duplicates by size")


def _similarities(row: dict[str, Any]) -> Markup:
    bins = row["histogram"]
    description = "; ".join(f"from {bin['from']:g}: {wording.count(bin['documents'])}" for bin in bins)
    return charts.histogram(
        [bin["documents"] for bin in bins],
        title=f"Similarity of documents that {row['stage']} removed",
        description=description,
        labels=((0.0, f"{row['threshold']:g}"), (1.0, "1")),
        height=72,
    )


def _splits(figures: dict[str, Any]) -> Markup:
    total = figures["sizes"]["documents"] or 1
    items = [
        charts.Bar(row["split"], row["documents"], wording.percent(row["documents"] / total))
        for row in figures["splits"]
    ]
    return charts.stacked_bar(items, title="Documents by split")


def _cost(figures: dict[str, Any]) -> Markup:
    total = figures["cost"]["cpu_s"] or 1
    steps = sorted(figures["cost"]["steps"], key=lambda step: (-step["cpu_s"], step["step"]))[:_ROWS]
    items = [
        charts.Bar(
            _label(step["step"]),
            step["cpu_s"],
            f"{wording.seconds(step['cpu_s'])} · {wording.percent(step['cpu_s'] / total)}",
        )
        for step in steps
    ]
    return charts.bars(items, title="CPU time by step")


def _signal(item: dict[str, Any]) -> Markup:
    axis = item["axis"]
    marks = [
        charts.Mark(
            position(axis, bound["threshold"]), ("≥ " if bound["side"] == "min" else "≤ ") + _tick(bound["threshold"])
        )
        for bound in item["thresholds"]
        if 0 <= position(axis, bound["threshold"]) <= 1
    ]
    numbers = item["quantiles"]
    return charts.histogram(
        item["passed"],
        rejected=item["rejected"],
        title=f"Distribution of {item['name']}",
        description=f"median {_tick(numbers['median'])}, 90 % from {_tick(numbers['p5'])} to {_tick(numbers['p95'])}",
        labels=((0.0, _tick(axis["from"])), (1.0, _tick(axis["to"]))),
        marks=marks,
        height=72,
    )


def _tick(number: float) -> str:
    return wording.short_count(float(f"{number:.3g}"))
