"""Files of many records that are empty, have only a header, or end too early: nothing is missing without a row."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpusmill.crawlers.load import loader_of
from corpusmill.crawlers.loaders.base import Loader
from tests.crawlers.loaders.hl7.test_hl7 import message
from tests.crawlers.loaders.news.test_reuters import HEAD, STORY
from tests.crawlers.loaders.papers.test_medline import as_set, record
from tests.crawlers.loaders.social.test_reddit import comment
from tests.crawlers.loaders.social.test_stackexchange import dump, post
from tests.crawlers.loaders.test_warc import response
from tests.crawlers.loaders.wikipedia import dumps
from tests.crawlers.test_load import source


@dataclass(frozen=True)
class Kind:
    """A format: its beginning, a function that writes a record, and its end.

    Args:
        header: A file with no records; None: such a file is empty.
        cut: The rule of a record that ends too early in a plain file.
        closing: Whether the end of a whole file is known, so that a file that ends between two records is truncated.
    """

    form: str
    write: Callable[[int, str], str]
    head: str = ""
    end: str = ""
    header: str | None = None
    cut: str = "error.truncated"
    closing: bool = False

    def file(self, words: str = "Some words.", *, records: int = 4) -> tuple[list[bytes], bytes]:
        """Return the pieces of a file, one for each record, and its end."""
        pieces = [self.write(number, words).encode() for number in range(1, records + 1)]
        return [self.head.encode() + pieces[0], *pieces[1:]], self.end.encode()


def line(value: Any) -> str:
    return json.dumps(value) + "\n"


def note(number: int, words: str) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": f"o{number}", "status": "final", "note": [{"text": words}]}


def entry(number: int, words: str) -> str:
    return f"<item><guid>{number}</guid><title>a</title><description>{words}</description></item>"


def mail(number: int, words: str) -> str:
    head = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b"
    return (
        f"From ann@example.org Tue Mar  5 10:30:00 2024\nMessage-ID: <{number}@example.org>\n{head}\n\n"
        f"--b\nContent-Type: text/plain\n\n{words}\n--b--\n\n"
    )


KINDS = {
    "jsonl": Kind("jsonl", lambda n, words: line({"id": n, "text": words}), cut="error.not_json"),
    "array": Kind(
        "jsonl",
        lambda n, words: ("[" if n == 1 else ",") + json.dumps({"id": n, "text": words}),
        end="]",
        header="[]",
        closing=True,
    ),
    "csv": Kind(
        "csv", lambda n, words: f'{n},"{words}"\n', head="id,text\n", header="id,text\n", cut="error.not_csv"
    ),
    "reddit": Kind("reddit", lambda n, words: line(comment(f"a{n}", words)), cut="error.not_json"),
    "mbox": Kind("mbox", mail),
    "hl7": Kind(
        "hl7", lambda n, words: f"\x0b{message(f'OBX|1|TX|A||{words}', control=f'M{n}')}\r\x1c\r", closing=False
    ),
    "batch": Kind(
        "hl7",
        lambda n, words: message(f"OBX|1|TX|A||{words}", control=f"M{n}") + "\r",
        head="FHS|^~\\&|A\rBHS|^~\\&|A\r",
        end="BTS|4\rFTS|1\r",
        closing=True,
    ),
    "ndjson": Kind("fhir", lambda n, words: line(note(n, words))),
    "bundle": Kind(
        "fhir",
        lambda n, words: ("," if n > 1 else "") + json.dumps({"resource": note(n, words)}),
        head='{"resourceType":"Bundle","type":"collection","entry":[',
        end="]}",
        header='{"resourceType":"Bundle","type":"collection"}',
        closing=True,
    ),
    "stackexchange": Kind(
        "stackexchange",
        lambda n, words: post(n, f"<p>{words}</p>") + "\n",
        head="<posts>\n",
        end="</posts>\n",
        header=dump().decode(),
        closing=True,
    ),
    "medline": Kind(
        "medline",
        lambda n, words: record(n).replace("It rains.", words),
        head="<PubmedArticleSet>\n",
        end="</PubmedArticleSet>\n",
        header=as_set(),
        closing=True,
    ),
    "wikipedia": Kind(
        "wikipedia",
        dumps.page,
        head=dumps.head(),
        end=dumps.END,
        header=dumps.dump([]),
        closing=True,
    ),
    "feed": Kind(
        "feed",
        entry,
        head="<rss><channel>",
        end="</channel></rss>",
        header="<rss><channel></channel></rss>",
        closing=True,
    ),
    "reuters": Kind(
        "reuters", lambda n, words: STORY.replace('NEWID="1"', f'NEWID="{n}"').replace("BAHIA", words), head=HEAD
    ),
}  # fmt: skip
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
}
SLICED = ("jsonl", "csv", "reddit", "mbox", "stackexchange", "medline", "wikipedia")


def offered(loader: Loader, path: Path) -> list[str | None]:
    """Return the rules of the records in all slices of the file, in order; those of documents are None."""
    counts: Counter[str] = Counter()
    return [
        rule
        for start, end in loader.slices(str(path))
        for batch in loader.offers(str(path), name="name", start=start, end=end, counts=counts)
        for rule in batch["rule"].to_pylist()
    ]


def rules(tmp_path: Path, form: str, data: bytes) -> list[str | None]:
    path = tmp_path / "file"
    path.write_bytes(data)
    return offered(loader_of(source("x", form)), path)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_empty_file_is_a_row(kind: Kind, tmp_path: Path) -> None:
    """Otherwise a download that failed, or a member that was never written, leaves no trace."""
    empty = [rules(tmp_path, kind.form, data) for data in (b"", b" \n\r\n", *(pack(b"") for pack in PACKINGS.values()))]

    assert empty == [["error.empty"]] * 6


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.header is not None])
def test_a_file_with_only_a_header_is_a_row(name: str, tmp_path: Path) -> None:
    """The export of an empty table is most often a mistake."""
    kind = KINDS[name]

    assert rules(tmp_path, kind.form, (kind.header or "").encode()) == ["error.no_records"]


def test_a_table_without_rows_is_a_row(tmp_path: Path) -> None:
    """As in a CSV file."""
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")

    assert offered(loader_of(source("x", "parquet")), tmp_path / "a.parquet") == ["error.no_records"]


def test_what_is_counted_is_no_empty_file(tmp_path: Path) -> None:
    """A file of deleted comments is not empty."""
    data = line(comment("a1", "[deleted]")).encode()

    assert rules(tmp_path, "reddit", data) == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_file_that_ends_within_a_record_has_the_records_before_it(kind: Kind, tmp_path: Path) -> None:
    """The last record is incomplete, and is not published."""
    pieces, end = kind.file()
    whole = rules(tmp_path, kind.form, b"".join(pieces) + end)

    cut = rules(tmp_path, kind.form, b"".join(pieces[:-1]) + pieces[-1][: pieces[-1].rindex(b"words") + 2])

    assert whole == [None] * 4
    assert [rule for rule in cut if rule != "error.truncated"][:3] == [None] * 3
    assert cut[-1] == kind.cut


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.closing])
def test_a_file_that_ends_between_two_records_is_truncated(name: str, tmp_path: Path) -> None:
    """Where the end of a whole file is known."""
    pieces, _ = KINDS[name].file()

    assert rules(tmp_path, KINDS[name].form, b"".join(pieces)) == [None] * 4 + ["error.truncated"]


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_compressed_file_that_breaks_off_has_the_records_before_that(
    kind: Kind, packing: str, tmp_path: Path
) -> None:
    """All that can be decompressed is read, not only full buffers."""
    pieces, end = kind.file()
    streams = [PACKINGS[packing](piece) for piece in (*pieces[:3], pieces[3] + end)]

    cut = rules(tmp_path, kind.form, b"".join(streams)[: -len(streams[-1]) // 2 - 8])

    assert [rule for rule in cut if rule is None] == [None] * (len(cut) - 1)
    assert len(cut) >= 3
    assert cut[-1] == "error.truncated"


@pytest.mark.parametrize("name", SLICED)
def test_the_last_slice_of_a_file_that_ends_within_a_record_says_so(name: str, tmp_path: Path) -> None:
    """A file of several tasks is cut in one of them."""
    kind = KINDS[name]
    pieces, end = kind.file("Some words. " * 50_000, records=12)
    path = tmp_path / "file"
    path.write_bytes((b"".join(pieces) + end)[: -len(pieces[-1]) // 2 - len(end)])
    loader = loader_of(source("x", kind.form))

    # A table that ends within quotes is read as one, because its quotes may not mark fields.
    assert len(loader.slices(str(path))) > 1 or name == "csv"
    cut = offered(loader, path)

    assert Counter(cut) == {None: 11, kind.cut: 1}


@pytest.mark.parametrize("name", ["stackexchange", "medline", "wikipedia"])
def test_a_file_read_in_slices_that_ends_between_records_is_truncated(name: str, tmp_path: Path) -> None:
    """One slice reports it, also if the last slice has no record."""
    kind = KINDS[name]
    pieces, end = kind.file("Some words. " * 50_000, records=12)
    path = tmp_path / "file"
    loader = loader_of(source("x", kind.form))

    for data, extra in ((b"".join(pieces) + end, {}), (b"".join(pieces), {"error.truncated": 1})):
        for tail in (b"", b"\n" * 5_000_000):
            path.write_bytes(data + tail)
            assert len(loader.slices(str(path))) > 1
            assert Counter(offered(loader, path)) == {None: 12, **extra}


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_multistream_dump_without_its_last_streams_is_truncated(cut: int, tmp_path: Path) -> None:
    """The end of the root element is a stream of its own; a cut between two streams decompresses without an error."""
    texts = [random.Random(number).randbytes(30_000).hex() for number in range(3)]
    streams = [bz2.compress(dumps.head().encode())]
    streams += [bz2.compress(dumps.page(number, text).encode()) for number, text in enumerate(texts)]
    streams.append(bz2.compress(dumps.END.encode()))
    path = tmp_path / "file"
    path.write_bytes(b"".join(streams[: len(streams) - cut]))
    loader = loader_of(source("x", "wikipedia"))

    found = Counter(
        rule
        for edges in ([0, 10_000], [10_000, 40_000], [40_000, path.stat().st_size])
        for batch in loader.offers(str(path), name="name", start=edges[0], end=edges[1])
        for rule in batch["rule"].to_pylist()
    )

    assert found == {None: 3 - max(cut - 1, 0), **({"error.truncated": 1} if cut else {})}


def test_an_archive_that_ends_within_a_record_has_the_records_before_it(tmp_path: Path) -> None:
    """Plain, and with a member of gzip for each record."""
    records = [response(url=f"http://a.example/{number}") for number in range(4)]
    packed = [gzip.compress(one) for one in records]

    cut = [rules(tmp_path, "warc", b"".join(parts)[:-100]) for parts in (records, packed)]

    assert [one[:3] for one in cut] == [[None] * 3] * 2
    assert [len(one) for one in cut] == [4, 4]
    assert all(one[-1] for one in cut)
