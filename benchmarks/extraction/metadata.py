"""Measure how often title, date and authors of a page are correct, compared with Trafilatura or htmldate (date only).

Gold: the columns `title`, `date`, `author` of `$CORPUSMILL_SHARED/data/extraction/public.parquet` (default
`../shared`). A value is correct if

- title: it has the same letters and digits regardless of case, or the F1 of the words is 0.9 or more;
- date: it is on the day of the gold or, if both have a time zone, on the same day in UTC. The date is that of
  publication or, without one, of the last change, as in Trafilatura;
- author: it has the same set of names regardless of order, case, punctuation and academic degrees.

A value on a page without gold is not judged. A missing value on a page with gold is not correct. The script prints the
share of correct values with a bootstrap interval (95 %) over domains.

    python benchmarks/extraction/metadata.py [--half 0|1] [--peer ANSWERS.jsonl] [--errors title|date|author]
    python benchmarks/extraction/metadata.py --answers trafilatura|htmldate > ANSWERS.jsonl

The second form prints the answers of a peer; it needs only the peer's package and pyarrow. `--half` selects the domains
whose hash begins with that bit. The rules for titles and authors were written with half 0, those for dates with all
pages, so for dates no half is an untouched test set.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FIELDS = ("title", "date", "author")
TITLE_F1 = 0.9
RESAMPLES = 1_000
DEGREE = re.compile(r"^(?:ph\.?\s?d|m\.?d|mba|m\.?a|m\.?sc|b\.?sc|jr|sr|rd|rn|cpa|facp|faclm)\.?$", re.IGNORECASE)
BY = re.compile(r"^\s*(?:written )?by\s+", re.IGNORECASE)
AND = re.compile(r"(?<=[\u4e00-\u9fff])\s+(?=[\u4e00-\u9fff])|\s*[,;、，]\s*(?:and\s+)?|\s+(?:and|und|et|y|&)\s+")
NOBODY = {"", "unknown"}
WORDS = re.compile(r"\w+")

Row = dict[str, Any]


def main() -> None:
    arguments = read_arguments()
    rows = [row for row in gold_rows() if arguments.half is None or half(row["domain"]) == arguments.half]
    if arguments.answers:
        print_answers(rows, ASKED[arguments.answers])
        return
    ours, seconds = timed(lambda: answers(rows, ASKED["corpusmill"]))
    if arguments.errors:
        print_errors(rows, ours, arguments.errors)
        return
    result = {"machine": platform.processor() or platform.machine(), "python": platform.python_version()}
    result |= {"pages": len(rows), "seconds": round(seconds, 2), "corpusmill": shares(rows, ours)}
    if arguments.peer:
        by_id = {answer["id"]: answer for answer in map(json.loads, arguments.peer.read_text().splitlines())}
        theirs = [by_id[row["id"]] for row in rows]
        result["peer"] = shares(rows, theirs)
        result["difference"] = {name: difference(name, rows, ours, theirs) for name in FIELDS}
    print(json.dumps(result, indent=1))


def print_answers(rows: list[Row], ask: Callable[[Row], Row]) -> None:
    for row, answer in zip(rows, answers(rows, ask), strict=True):
        print(json.dumps({"id": row["id"]} | answer))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--half", type=int, choices=(0, 1), help="domains whose hash begins with this bit")
    parser.add_argument("--peer", type=Path, metavar="FILE", help="answers of a peer, as `--answers` prints them")
    parser.add_argument("--answers", choices=sorted(ASKED), help="print the answers of this extractor as JSON lines")
    parser.add_argument("--errors", choices=FIELDS, help="print the wrong answers for this field, with their evidence")
    return parser.parse_args()


def gold_rows() -> list[Row]:
    """Return the pages that have a gold title, date or author."""
    import pyarrow.parquet as pq

    path = Path(os.environ.get("CORPUSMILL_SHARED", "../shared")) / "data/extraction/public.parquet"
    names = ["id", "source", "url", "domain", "html", *FIELDS]
    rows: list[Row] = pq.read_table(path, columns=names).to_pylist()
    return [row for row in rows if any(row[name] for name in FIELDS)]


def half(domain: str | None) -> int:
    return hashlib.sha256((domain or "").encode()).digest()[0] >> 7


def answers(rows: list[Row], ask: Callable[[Row], Row]) -> list[Row]:
    return [ask(row) for row in rows]


def ask_corpusmill(row: Row) -> Row:
    from corpusmill.pipelines.stages.extract.page import extract_page

    metadata = extract_page(row["html"], row["url"]).metadata
    date = metadata.published or metadata.modified
    return {
        "title": metadata.title.value if metadata.title else None,
        "date": date.value.isoformat() if date else None,
        "author": "; ".join(metadata.authors.value) if metadata.authors else None,
        "evidence": [part.source if part else None for part in (metadata.title, date, metadata.authors)],
    }


def ask_trafilatura(row: Row) -> Row:
    import trafilatura

    document = trafilatura.bare_extraction(row["html"], url=row["url"], with_metadata=True)
    fields = document.as_dict() if document is not None else {}
    return {name: fields.get(name) for name in FIELDS}


def ask_htmldate(row: Row) -> Row:
    from htmldate import find_date

    return dict.fromkeys(FIELDS) | {
        "date": find_date(row["html"].decode("utf-8", "replace"), url=row["url"], original_date=True)
    }


ASKED = {"corpusmill": ask_corpusmill, "trafilatura": ask_trafilatura, "htmldate": ask_htmldate}


def timed(work: Callable[[], list[Row]]) -> tuple[list[Row], float]:
    start = time.process_time()
    return work(), time.process_time() - start


def shares(rows: list[Row], answered: list[Row]) -> Row:
    """Compute the share of correct answers by field, over all pages and by source of the gold."""
    return {name: share(name, rows, answered) for name in FIELDS}


def share(name: str, rows: list[Row], answered: list[Row]) -> Row:
    judged = [(row, answer) for row, answer in zip(rows, answered, strict=True) if is_usable(name, row[name])]
    verdicts = [(row["domain"], is_correct(name, row[name], answer[name])) for row, answer in judged]
    by_source: dict[str, list[bool]] = {}
    for (row, _), (_, right) in zip(judged, verdicts, strict=True):
        by_source.setdefault(row["source"], []).append(right)
    return {
        "gold": sum(bool(row[name]) for row in rows),
        "usable": len(judged),
        "answered": sum(bool(answer[name]) for _, answer in judged),
        "wrong": sum(
            bool(answer[name]) and not right for (_, answer), (_, right) in zip(judged, verdicts, strict=True)
        ),
        "right": round(sum(right for _, right in verdicts) / max(len(verdicts), 1), 4),
        "interval": interval(verdicts),
        "by_source": {source: [round(sum(v) / len(v), 3), len(v)] for source, v in sorted(by_source.items())},
    }


def difference(name: str, rows: list[Row], ours: list[Row], theirs: list[Row]) -> Row:
    """Compute the lead of our share of correct answers over the peer's on the same pages."""
    judged = [triple for triple in zip(rows, ours, theirs, strict=True) if is_usable(name, triple[0][name])]
    verdicts = [
        (row["domain"], is_correct(name, row[name], our[name]) - is_correct(name, row[name], their[name]))
        for row, our, their in judged
    ]
    return {"share": round(sum(v for _, v in verdicts) / max(len(verdicts), 1), 4), "interval": interval(verdicts)}


def interval(verdicts: Sequence[tuple[str, int]]) -> list[float]:
    """Compute the bootstrap interval of the mean, with domains drawn with replacement."""
    by_domain: dict[str, list[int]] = {}
    for domain, right in verdicts:
        by_domain.setdefault(domain, []).append(right)
    groups = [(sum(group), len(group)) for group in by_domain.values()]
    draw = random.Random(0)
    means = []
    for _ in range(RESAMPLES if groups else 0):
        sample = draw.choices(groups, k=len(groups))
        means.append(sum(right for right, _ in sample) / sum(count for _, count in sample))
    means.sort()
    return [round(means[int(len(means) * q)], 4) for q in (0.025, 0.975)] if means else []


def is_usable(name: str, gold: str | None) -> bool:
    return bool(gold) and (name != "date" or day_of(gold) is not None) and (name != "author" or bool(names_of(gold)))


def is_correct(name: str, gold: str, answer: str | None) -> bool:
    if not answer:
        return False
    return {"title": is_same_title, "date": is_same_day, "author": is_same_people}[name](gold, answer)


def is_same_title(gold: str, answer: str) -> bool:
    expected, actual = (WORDS.findall(text.casefold()) for text in (gold, answer))
    if "".join(expected) == "".join(actual):
        return True
    common = sum((Counter(expected) & Counter(actual)).values())
    return 2 * common >= TITLE_F1 * (len(expected) + len(actual))


def is_same_day(gold: str, answer: str) -> bool:
    expected, actual = day_of(gold), day_of(answer)
    if expected is None or actual is None:
        return False
    return expected.date() == actual.date() or (
        expected.tzinfo is not None
        and actual.tzinfo is not None
        and expected.astimezone(UTC).date() == actual.astimezone(UTC).date()
    )


def day_of(text: str) -> datetime | None:
    """Parse a gold date: ISO 8601, or year, month and day with separators; None for other text."""
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        pass
    match = re.match(r"\s*(\d{4})\D{1,2}(\d{1,2})\D{1,2}(\d{1,2})(?!\d)", text)
    try:
        return datetime(*map(int, match.groups())) if match else None  # type: ignore[arg-type]
    except ValueError:
        return None


def is_same_people(gold: str, answer: str) -> bool:
    return names_of(gold) == names_of(answer)


def names_of(text: str) -> frozenset[str]:
    """Return the case-folded names in *text*: a JSON list, or names joined by commas, semicolons or "and"."""
    values = json.loads(text) if text.startswith("[") else [text]
    parts = [part for value in values for part in AND.split(BY.sub("", value))]
    return frozenset("".join(WORDS.findall(part.casefold())) for part in parts if not DEGREE.match(part)) - NOBODY


def print_errors(rows: list[Row], answered: list[Row], name: str) -> None:
    for row, answer in zip(rows, answered, strict=True):
        if is_usable(name, row[name]) and not is_correct(name, row[name], answer[name]):
            evidence = answer["evidence"][FIELDS.index(name)]
            sys.stdout.write(f"{row['source']}\t{row[name]!r}\t{answer[name]!r}\t{evidence}\t{row['url']}\n")


if __name__ == "__main__":
    main()
