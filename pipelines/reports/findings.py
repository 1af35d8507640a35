"""Derive the main findings on a version, as sentences with a level, from its figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from corpusmill.pipelines.dataset.recorded import are_all_installed, first_on_personal_data, recorded_stages
from corpusmill.pipelines.reports.wording import count, listed, percent, plural, seconds, size
from corpusmill.schemas.manifest import LARGE_GROUP_SHARE
from corpusmill.schemas.recipe import Split

Finding: TypeAlias = dict[str, str]
"""`level` (warning or info), `code` (stable), `text`, and `section` (of the report, with details)."""

SMALL_SHARE: Final = 0.01
LARGE_REJECTED_SHARE: Final = 0.5
LARGE_DUPLICATE_SHARE: Final = 0.1
DOMINANT_SHARE: Final = 0.8
LONG_DOCUMENT_SHARE: Final = 0.05
LARGE_FAILED_SHARE: Final = 0.1
SPLIT_TOLERANCE: Final = 0.5
"""Relative difference from the recipe's share above which a split is reported."""
SPLIT_MIN_EXPECTED: Final = 30
"""Expected documents of a split below which its share is not reported."""
MAX_FINDINGS: Final = 16
_NAMED: Final = 3
_KINDS: Final = 6
"""Kinds of records that are not documents, listed for each source."""
_COPIES: Final[Mapping[str, str]] = {
    "exact": "Exact duplicates",
    "normalized": "Duplicates with the same letters and digits",
    "near": "Near duplicates",
    "url": "Documents with the same URL",
}
"""Names of the copies that stages remove, by `Stage.removes_copies`."""
_FAILURES: Final = ("error.", "http.5", "http.429")
_RESTRICTED: Final = re.compile(r"\bCC-BY-(?:NC|ND)\b|-NC-|-ND-|-NC$|-ND$")


def findings(figures: dict[str, Any]) -> list[Finding]:
    """Return the findings on *figures* (the result of `statistics`), warnings first."""
    all_findings = [
        *_conservation(figures),
        *_emptiness(figures),
        *_leakage(figures),
        *_errors(figures),
        *_ids(figures),
        *_crawls(figures),
        *_refused(figures),
        *_licenses(figures),
        *_personal_data(figures),
        *_rejections(figures),
        *not_documents(figures),
        *_duplicates(figures),
        *_balance(figures),
        *_cost(figures),
    ]
    return sorted(all_findings, key=lambda finding: finding["level"] != "warning")[:MAX_FINDINGS]


def _finding(level: str, code: str, section: str, text: str) -> Finding:
    return {"level": level, "code": code, "section": section, "text": text}


def _conservation(figures: dict[str, Any]) -> Iterator[Finding]:
    law = figures["conservation"]
    if not law["holds"]:
        rows = law["rows"]
        text = (
            f"Records are missing: {count(law['read'])} were read, {count(rows['shards'])} are in the shards and "
            f"{count(rows['ledger'])} in the ledger; the manifest counts {count(law['published'])} and "
            f"{count(law['ledger'])}."
        )
        if law["broken_stages"]:
            text += f" The counts do not add up at {listed(law['broken_stages'])}."
        yield _finding("warning", "conservation", "funnel", text)


def _emptiness(figures: dict[str, Any]) -> Iterator[Finding]:
    documents = figures["sizes"]["documents"]
    if not documents:
        rules = [f"`{rule['rule']}`" for rule in figures["rules"][:_NAMED]]
        why = f"; most were rejected by {listed(rules)}" if rules else ""
        read = plural(figures["sizes"]["read"], "record")
        yield _finding("warning", "empty", "funnel", f"No document is published: {read} read{why}.")
        return
    for split in figures["splits"]:
        share_set = split["wanted"] or 0
        if share_set and not split["documents"]:
            text = f"The split `{split['split']}` is empty; {_share_set(split)}."
            yield _finding("warning", "empty_split", "splits", text)
        elif share_set * documents >= SPLIT_MIN_EXPECTED and abs(split["documents"] / documents - share_set) > (
            SPLIT_TOLERANCE * share_set
        ):
            share = percent(split["documents"] / documents)
            text = f"The split `{split['split']}` has {share} of the documents; {_share_set(split)}."
            yield _finding("warning", "uneven_split", "splits", text)


def _share_set(split: dict[str, Any]) -> str:
    """Return where the share of a split comes from. A manifest has the defaults of a recipe without `split`, too."""
    is_default = split["wanted"] == Split().shares[split["split"]]
    return f"{'the default is' if is_default else 'the recipe sets'} {percent(split['wanted'])}"


def _leakage(figures: dict[str, Any]) -> Iterator[Finding]:
    leaks = figures["leakage"]
    if leaks["id"]:
        yield _finding(
            "warning", "repeated_ids", "splits", f"Documents that occur twice in the shards: {count(leaks['id'])}."
        )
    if leaks["content_hash"]:
        text = f"Identical texts in more than one split: {count(leaks['content_hash'])}."
        yield _finding("warning", "leaked_texts", "splits", text)
    if leaks["cluster_id"]:
        text = f"Clusters of near duplicates in more than one split: {count(leaks['cluster_id'])}."
        yield _finding("warning", "leaked_clusters", "splits", text)
    groups = figures["split_groups"]
    if groups is not None and groups["largest"] > LARGE_GROUP_SHARE * figures["sizes"]["documents"]:
        share = percent(groups["largest"] / figures["sizes"]["documents"])
        text = f"One group of similar documents has {share} of the documents, all of them in one split."
        yield _finding("warning", "large_group", "splits", text)
    stages = recorded_stages(figures["stages"])
    copies = {stage.model.removes_copies for stage in stages if stage.model is not None}
    if figures["sizes"]["documents"] and "near" not in copies and are_all_installed(stages):
        missing = "" if copies & {"exact", "normalized"} else "exact or "
        text = f"The recipe does not remove {missing}near duplicates: there may be copies, also in different splits."
        yield _finding("warning", "no_dedup", "duplicates", text)


def _errors(figures: dict[str, Any]) -> Iterator[Finding]:
    broken = sum(error["documents"] for error in figures["errors"])
    if broken:
        share = broken / max(1, figures["sizes"]["read"])
        kinds = listed([f"`{error['rule']}`" for error in figures["errors"][:_NAMED]])
        level = "warning" if share >= SMALL_SHARE else "info"
        text = f"{plural(broken, 'record')} ({percent(share)}) could not be read: {kinds}."
        yield _finding(level, "errors", "rules", text)


def _ids(figures: dict[str, Any]) -> Iterator[Finding]:
    for text in figures["warnings"]:
        yield _finding("warning", "ids", "sources", f"{text[:1].upper()}{text[1:]}.")


def _crawls(figures: dict[str, Any]) -> Iterator[Finding]:
    """Report crawls in which servers failed often; broken links are not among these failures."""
    for crawl in figures["crawls"]:
        failed = [rule for rule in crawl["rules"]["errors"] if rule["rule"].startswith(_FAILURES)]
        number = sum(rule["pages"] for rule in failed)
        statistics = crawl["statistics"] or {"pages": 0, "redirects": 0}
        requested = statistics["pages"] + statistics["redirects"] + crawl["errors"]
        if crawl["statistics"] is not None and number > LARGE_FAILED_SHARE * requested:
            rules = listed([f"`{rule['rule']}` ({count(rule['pages'])})" for rule in failed[:_NAMED]])
            text = f"{percent(number / requested)} of the URLs requested for `{crawl['source']}` failed: {rules}."
            yield _finding("warning", "crawl_errors", "crawls", text)


def _refused(figures: dict[str, Any]) -> Iterator[Finding]:
    for crawl in figures["refused"]:
        rules = listed([f"`{rule['rule']}` ({count(rule['pages'])})" for rule in crawl["rules"][:_NAMED]])
        verb = "was" if crawl["pages"] == 1 else "were"
        text = f"{plural(crawl['pages'], 'URL')} of `{crawl['source']}` {verb} not fetched: {rules}."
        yield _finding("info", "refused_pages", "crawls", text)


def _licenses(figures: dict[str, Any]) -> Iterator[Finding]:
    documents = figures["sizes"]["documents"]
    unknown = figures["licenses"]["unknown"]
    if documents and unknown:
        level = "warning" if unknown / documents >= SMALL_SHARE else "info"
        rows = figures["licenses"]["unknown_by_source"]
        sources = listed([f"`{row['source']}` ({count(row['documents'])})" for row in rows[:_NAMED]])
        others = f", and {plural(len(rows) - _NAMED, 'other source')}" if len(rows) > _NAMED else ""
        text = (
            f"The license of {percent(unknown / documents)} of the documents ({count(unknown)}) is unknown: {sources}"
            f"{others}."
        )
        yield _finding(level, "unknown_license", "licenses", text)
    restricted = [row for row in figures["licenses"]["expressions"] if row["name"] and _RESTRICTED.search(row["name"])]
    if restricted:
        names = listed([row["name"] for row in restricted[:_NAMED]])
        number = sum(row["documents"] for row in restricted)
        text = (
            f"{plural(number, 'document')} {_have(number)} a license that forbids commercial use or changes: {names}."
        )
        yield _finding("warning", "restricted_license", "licenses", text)


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _personal_data(figures: dict[str, Any]) -> Iterator[Finding]:
    personal = figures["personal_data"]
    stages = recorded_stages(figures["stages"])
    if not figures["sizes"]["documents"]:
        return
    if personal["stage"] is None:
        if are_all_installed(stages):
            yield _finding("warning", "no_pii", "personal-data", "No stage of the recipe detects personal data.")
        return
    kinds = [kind for kind in personal["kinds"] if kind["published_items"]]
    kinds.sort(key=lambda kind: (-kind["published_items"], kind["kind"]))
    if kinds:
        parts = listed([f"{count(kind['published_items'])} × {kind['kind']}" for kind in kinds[:_NAMED]])
        first = first_on_personal_data(stages)
        verb = "masked" if first is not None and first.action_on_personal_data == "mask" else "detected"
        yield _finding(
            "info", "personal_data", "personal-data", f"Personal data {verb} in published documents: {parts}."
        )


def _rejections(figures: dict[str, Any]) -> Iterator[Finding]:
    for source in figures["sources"]:
        other = source["rejected"] - source["duplicates"]
        if source["read"] and other / source["read"] > LARGE_REJECTED_SHARE:
            text = (
                f"Source `{source['source']}`: {percent(source['rejected'] / source['read'])} of its records are "
                f"rejected, most of them by `{source['top_rule']}` ({count(source['top_rule_documents'])})."
            )
            yield _finding("warning", "rejected_source", "sources", text)
    copies = {rule["rule"] for rule in figures["duplicates"]["rules"]}
    rules = [rule for rule in figures["rules"] if rule["rule"] not in copies]
    if rules and rules[0]["documents"] >= SMALL_SHARE * figures["sizes"]["read"]:
        share = percent(rules[0]["documents"] / figures["sizes"]["read"])
        apart = "" if len(rules) == len(figures["rules"]) else "Apart from copies, "
        taken = plural(rules[0]["documents"], "record")
        text = f"{apart}`{rules[0]['rule']}` rejected the most: {taken}, {share} of the records read."
        yield _finding("info", "top_rule", "rules", text)


def not_documents(figures: dict[str, Any]) -> Iterator[Finding]:
    """Yield the number of records of each loaded source that are not documents, by kind."""
    for source in figures["sources"]:
        kinds = source["not_documents"]
        if kinds and source["kind"] != "crawl":  # a crawl archives its requests
            parts = [f"{count(number)} `{kind}`" for kind, number in [*kinds.items()][:_KINDS]]
            others = sum([*kinds.values()][_KINDS:])
            parts += [f"{count(others)} of other kinds"] if others else []
            total = sum(kinds.values())
            verb = "is not a document" if total == 1 else "are not documents"
            text = f"Source `{source['source']}`: {plural(total, 'more record')} {verb}: {listed(parts)}."
            yield _finding("info", "not_documents", "sources", text)


def _duplicates(figures: dict[str, Any]) -> Iterator[Finding]:
    read = {source["source"]: source["read"] for source in figures["sources"]}
    models = {stage.entry.id: stage.model for stage in recorded_stages(figures["stages"])}
    for row in figures["duplicates"]["by_source"][:_NAMED]:
        share = row["documents"] / max(1, read.get(row["source"], 0))
        if share >= LARGE_DUPLICATE_SHARE:
            model = models.get(row["stage"])
            kind = _COPIES.get(model.removes_copies or "", row["stage"]) if model is not None else row["stage"]
            text = f"{kind}: {percent(share)} of the records of `{row['source']}` were copies."
            yield _finding("info", "duplicates", "duplicates", text)


def _balance(figures: dict[str, Any]) -> Iterator[Finding]:
    total = figures["sizes"]["text_bytes"]
    if not total:
        return
    largest = figures["sources"][0]
    if len(figures["sources"]) > 1 and largest["bytes"] / total >= DOMINANT_SHARE:
        text = f"Source `{largest['source']}` makes up {percent(largest['bytes'] / total)} of the text."
        yield _finding("info", "dominant_source", "sources", text)
    longest = figures["largest_documents"][0]
    if figures["sizes"]["documents"] > 1 / LONG_DOCUMENT_SHARE and longest["bytes"] / total >= LONG_DOCUMENT_SHARE:
        text = f"One document makes up {percent(longest['bytes'] / total)} of the text ({size(longest['bytes'])})."
        yield _finding("warning", "long_document", "lengths", text)


def _cost(figures: dict[str, Any]) -> Iterator[Finding]:
    cost = figures["cost"]
    if cost["cpu_s"] > 0:
        costliest = max(cost["steps"], key=lambda step: (step["cpu_s"], step["step"]))
        share = percent(costliest["cpu_s"] / cost["cpu_s"])
        text = f"All steps took {seconds(cost['cpu_s'])} of CPU time, {share} of it in `{costliest['step']}`."
        yield _finding("info", "cost", "cost", text)
