"""Near duplicates in scripts that do not separate words, beside tools that split texts at spaces or at `\\w+`.

    python -m benchmarks.spaceless [--peers FOLDER]

The Universal Declaration of Human Rights in six languages without spaces between words, and in English (`udhr2.zip` of
NLTK in the folder that `CORPUSMILL_SHARED` names), is cut into pieces of 400 letters, in English of 400 words. Each
piece has a copy in which every hundredth letter (word) is another one. *found* is the share of the copies of which one
was removed, *wrong* the number of pieces that were removed together with their copy.

FOLDER holds the peer: `pip install --target FOLDER rensa`. Its MinHash (128 permutations, 16 bands) is asked for pairs
at the threshold, over shingles of five words; `datasketch` likewise, over what `\\w+` matches.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from datasketch import MinHash, MinHashLSH

from benchmarks.near_dedup import remove_near
from corpusmill.pipelines.stages.dedup.near import NearDedup

LANGUAGES: Final = ("eng", "cmn_hans", "jpn", "tha", "lao", "khm", "mya")
PIECE: Final = 400
CHANGED: Final = 100
NGRAM: Final = 5
THRESHOLD: Final = 0.8
Removed = Callable[[dict[str, str]], set[str]]


def main() -> None:
    """Print a row of the table for each tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="folder in which rensa was installed")
    options = parser.parse_args()
    tools: dict[str, Removed] = {"corpusmill": by_stage, "datasketch, \\w+": by_datasketch}
    if options.peers:
        sys.path.insert(0, str(options.peers))
        tools["rensa, spaces"] = by_rensa
    archive = Path(os.environ.get("CORPUSMILL_SHARED", Path(__file__).parents[2] / "shared"))
    texts = {
        name: pieces_with_copies(name, text) for name, text in declarations(archive / "data/samples/nltk/udhr2.zip")
    }
    print(f"{platform.platform()}, Python {platform.python_version()}; found / wrong")
    print(f"{'':<18}" + "".join(f"{name:>14}" for name in texts))
    print(f"{'pairs':<18}" + "".join(f"{len(pieces) // 2:>14}" for pieces in texts.values()))
    for tool, removed_by in tools.items():
        cells = [cell(pieces, removed_by(pieces)) for pieces in texts.values()]
        print(f"{tool:<18}" + "".join(f"{text:>14}" for text in cells))


def declarations(archive: Path) -> Iterator[tuple[str, str]]:
    """Yield the text of the declaration in each of `LANGUAGES`."""
    with zipfile.ZipFile(archive) as files:
        for language in LANGUAGES:
            (name,) = [name for name in files.namelist() if re.fullmatch(rf".*/{language}\.txt", name)]
            yield language, files.read(name).decode()


def pieces_with_copies(language: str, text: str) -> dict[str, str]:
    """Cut *text* into pieces, called ``<n>``, with a changed copy of each, called ``<n>c``."""
    units = re.findall(r"\S+\s*" if language == "eng" else r"\w\W*", " ".join(text.split()))
    pieces = [units[start : start + PIECE] for start in range(0, len(units) - PIECE + 1, PIECE)]
    copies = {f"{number}c": "".join(changed(piece)) for number, piece in enumerate(pieces)}
    return {str(number): "".join(piece) for number, piece in enumerate(pieces)} | copies


def changed(units: list[str]) -> list[str]:
    """Return *units* with the middle one of every hundred replaced by the one before it."""
    return [units[place - 1] if place % CHANGED == CHANGED // 2 else unit for place, unit in enumerate(units)]


def cell(pieces: dict[str, str], removed: set[str]) -> str:
    """Return the share of copies of which one was removed, and how many pieces have none left."""
    names = [name for name in pieces if not name.endswith("c")]
    found = sum(len(removed & {name, f"{name}c"}) == 1 for name in names)
    lost = sum({name, f"{name}c"} <= removed for name in names)
    return f"{found / len(names):.0%} / {lost}"


def by_stage(texts: dict[str, str]) -> set[str]:
    """Return the names that the stage `near_dedup` removes."""
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({"id": [*texts], "text": [*texts.values()]}), f"{folder}/pieces.parquet")
        return set(remove_near(Path(folder), NearDedup(threshold=THRESHOLD)).kept_of)


def by_datasketch(texts: dict[str, str]) -> set[str]:
    """Return the names that come after a similar one, by MinHash over five words, each what ``\\w+`` matches."""
    index, removed = MinHashLSH(threshold=THRESHOLD, num_perm=128), set()
    for name, text in texts.items():
        signature = MinHash(num_perm=128)
        signature.update_batch([shingle.encode() for shingle in shingles(re.findall(r"\w+", text.lower()))])
        if index.query(signature):
            removed.add(name)
        index.insert(name, signature)
    return removed


def by_rensa(texts: dict[str, str]) -> set[str]:
    """Return the names that come after a similar one, by rensa's MinHash over five words between spaces."""
    rensa: Any = importlib.import_module("rensa")
    index = rensa.RMinHashLSH(threshold=THRESHOLD, num_perm=128, num_bands=16)
    removed: set[str] = set()
    signatures: dict[int, Any] = {}
    for number, (name, text) in enumerate(texts.items()):
        signature = rensa.RMinHash(num_perm=128, seed=1)
        signature.update(shingles(text.lower().split()))
        if any(signatures[other].jaccard(signature) >= THRESHOLD for other in index.query(signature)):
            removed.add(name)
        signatures[number] = signature
        index.insert(number, signature)
    return removed


def shingles(words: list[str]) -> list[str]:
    """Return the runs of five words of *words*, or all of them where they are fewer."""
    return [" ".join(words[start : start + NGRAM]) for start in range(max(1, len(words) - NGRAM + 1))]


if __name__ == "__main__":
    main()
