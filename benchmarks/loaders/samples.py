"""Read every sample file in the format that fits, and write what was read to docs/reference/samples.md.

    CORPUSMILL_SHARED=../shared python benchmarks/loaders/samples.py [--check]

The samples are real files in the folder that `CORPUSMILL_SHARED` names. Their folder and suffix tell the format. Files
that a crawl reads (sitemaps and robots.txt) are read by the functions of the crawl. A file whose format is not built
yet is marked so. With `--check`, the page is compared instead of written, and the script ends with 1 if it differs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from corpusmill.crawlers.discovery.reading import read_listing
from corpusmill.crawlers.frontier.robots import RobotsPolicy
from corpusmill.crawlers.inputs import matching_inputs
from corpusmill.crawlers.load import loader_of
from corpusmill.crawlers.registry import LOADERS
from corpusmill.schemas.errors import DataError, RecipeError, SourceError
from corpusmill.schemas.identity import ID_COUNTS
from corpusmill.schemas.recipe import LoadSource
from corpusmill.schemas.vectors import VECTOR_COUNTS

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "reference" / "samples.md"
KINDS: Final = (
    ("warc/*", "warc"),
    ("wet-wat/*", "warc"),
    ("wikipedia/*", "wikipedia"),
    ("jats/*", "jats"),
    ("medline/*", "medline"),
    ("tei/*", "tei"),
    ("pdf/*", "pdf"),
    ("latex/*", "arxiv"),
    ("gutenberg/*.txt", "gutenberg"),
    ("gutenberg/*.htm", "html"),
    ("gutenberg/*", "companion"),
    ("stackexchange/*", "stackexchange"),
    ("feed/*", "feed"),
    ("sitemap/feed-*", "feed"),
    ("sitemap/*", "sitemap"),
    ("robots/*", "robots"),
    ("mbox/*", "mbox"),
    ("epub/*", "epub"),
    ("docx/*", "docx"),
    ("markdown/*.md", "markdown"),
    ("markdown/*", "text"),
    ("rest/*", "restructuredtext"),
    ("html/*", "html"),
    ("jsonl/*", "jsonl"),
    ("parquet/*", "parquet"),
    ("nltk/*", "text"),
    ("README.md", "markdown"),
)
"""Patterns of samples and their kinds: a format, or `sitemap`, `robots` and `companion` (read with another file). The
first that fits counts."""
MEMBERS: Final = {"nltk/*": "!/**/*.txt"}
TEXT_FIELDS: Final = {"parquet/test1.parquet": "contents", "jsonl/test.jsonl.zst": "message"}
_COUNTS_OF_DOCUMENTS: Final = (ID_COUNTS, VECTOR_COUNTS)
_MESSAGE_CHARS: Final = 110
_INTRODUCTION: Final = """# Sample files

<!-- Written by benchmarks/loaders/samples.py; run it again after a change of a loader. -->

Every file of the set of real samples with which the loaders are tried: from which format it is read, how many documents
it has, and what is set aside under which rule. The files are not part of the repository; they come from public
repositories. *Documents* are what the loader gives to the stages, before extraction and filters. *Other records* are
counted, but are not documents, such as the requests of an archive or the redirects of a dump.

"""


@dataclass
class Result:
    """What a file gives.

    Args:
        format: The format, or which part of corpusmill reads it.
        documents: None if it is not a file of documents.
        others: Number of records that are not documents, by kind.
        notes: What is set aside, by rule, and why a file is refused.
    """

    format: str
    documents: int | None = None
    others: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def kind_of(name: str) -> str:
    """Return the kind of the sample *name*; `unknown` if there is none.

    >>> kind_of("gutenberg/972.txt"), kind_of("gutenberg/pg972.rdf"), kind_of("new/file")
    ('gutenberg', 'companion', 'unknown')
    """
    return next((kind for pattern, kind in KINDS if fnmatch(name, pattern)), "unknown")


def result_of(path: Path, *, root: Path) -> Result:
    """Read the sample at *path*."""
    name = path.relative_to(root).as_posix()
    kind = kind_of(name)
    if kind == "sitemap":
        return _sitemap(path)
    if kind == "companion":
        return Result("read with the book beside it")
    if kind not in LOADERS:
        return Result(f"`{kind}`", notes=["no format for this folder" if kind == "unknown" else "not built yet"])
    return _loaded(path, name, kind, root)


def _sitemap(path: Path) -> Result:
    listing = read_listing(path.read_bytes(), role="sitemap", media_type=None)
    notes = [f"{len(listing.pages)} pages and {len(listing.sitemaps)} sitemaps to crawl"]
    return Result("a crawl", notes=notes if listing.problem is None else [*notes, f"refused: {listing.problem}"])


def _loaded(path: Path, name: str, kind: str, root: Path) -> Result:
    members = next((inner for pattern, inner in MEMBERS.items() if fnmatch(name, pattern)), "")
    fields = {"name": "sample", "format": kind, "path": f"{path}{members}"}
    if text := next((text for pattern, text in TEXT_FIELDS.items() if fnmatch(name, pattern)), None):
        fields["text_field"] = text
    result = Result(f"`{kind}`" + (f", `{members}`" if members else ""), documents=0)
    rules: Counter[str] = Counter()
    messages: dict[str, str] = {}
    counts: Counter[str] = Counter()
    try:
        for rule, message in _rows(LoadSource.model_validate(fields), counts):
            rules[rule] += 1
            messages.setdefault(rule, message)
    except (SourceError, RecipeError, DataError) as error:
        result.notes.append(f"refused: {_shortened(str(error), root)}")
    result.documents = rules.pop("", 0)
    others = {kind: number for kind, number in counts.items() if not kind.startswith(_COUNTS_OF_DOCUMENTS)}
    result.others = {kind: number for kind, number in others.items() if number}
    result.notes += [f"{number} `{rule}`: {_shortened(messages[rule], root)}" for rule, number in sorted(rules.items())]
    return result


def _rows(source: LoadSource, counts: Counter[str]) -> Iterator[tuple[str, str]]:
    """Yield the rule and the message of each record of *source*; both are empty for a document."""
    loader = loader_of(source)
    for match in matching_inputs(source.paths[0], base=Path(), suffixes=loader.suffixes):
        if match.rule is not None:
            yield match.rule, match.message or ""
            continue
        loader.check(match.address)
        for start, end in loader.slices(match.address):
            for batch in loader.read(match.address, name=match.name, start=start, end=end, counts=counts):
                for rule, message in zip(batch["rule"].to_pylist(), batch["message"].to_pylist(), strict=True):
                    yield rule or "", message or ""


def _shortened(message: str, root: Path) -> str:
    """Return the first line of *message* without the folder of samples, in a form that fits in a cell."""
    line = message.replace(f"{root}/", "").partition("\n")[0].replace("|", "\\|").strip()
    return line if len(line) <= _MESSAGE_CHARS else f"{line[: _MESSAGE_CHARS - 1]}…"


def _robots(paths: list[Path]) -> str:
    """Return the row of the files robots.txt, which are too many for a row each."""
    policies = [(path.name, RobotsPolicy.of(200, path.read_bytes()).unreachable) for path in paths]
    refused = [f"`{name}`: {reason}" for name, reason in policies if reason is not None]
    note = f"refused: {'; '.join(refused)}" if refused else "all are read"
    return f"| `robots/*` ({len(paths)} files) | a crawl | – | – | {note} |"


def rows_of(root: Path) -> Iterator[str]:
    """Yield the rows of the table for the samples in the folder *root*."""
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    robots = [path for path in paths if path.parent.name == "robots"]
    for path in paths:
        if path in robots:
            if path == robots[0]:
                yield _robots(robots)
            continue
        result = result_of(path, root=root)
        documents = "–" if result.documents is None else f"{result.documents:,}"
        others = ", ".join(f"{number:,} {kind}" for kind, number in sorted(result.others.items())) or "–"
        name = path.relative_to(root).as_posix()
        yield f"| `{name}` | {result.format} | {documents} | {others} | {'; '.join(result.notes) or '–'} |"


def page(root: Path) -> str:
    """Return the page for the samples in the folder *root*."""
    head = "| file | format | documents | other records | set aside or refused |\n|---|---|---|---|---|\n"
    return _INTRODUCTION + head + "\n".join(rows_of(root)) + "\n"


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare the page instead of writing it")
    arguments = parser.parse_args()
    if "CORPUSMILL_SHARED" not in os.environ:
        print("error: CORPUSMILL_SHARED is not set\n\nhint: set it to the folder `shared`", file=sys.stderr)
        return 2
    made = page(Path(os.environ["CORPUSMILL_SHARED"]).resolve() / "data" / "samples")
    if arguments.check:
        return int(made != PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(made, encoding="utf-8")
    print(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
