"""Web archives: each record is read once, independent of the slices, and all damage is reported."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import random
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import fastwarc
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator

from corpusmill.crawlers.loaders import warc_frames
from corpusmill.crawlers.loaders.warc import Warc
from corpusmill.crawlers.loaders.warc_records import Record, _records_of, _usual_record
from corpusmill.crawlers.loaders.wet import Wet
from tests.crawlers.loaders.reading import Row, in_slices, rows, samples

PAGE = b"<!doctype html><p>Hello"
TYPE = b"Content-Type: text/html; charset=utf-8"


def record(
    block: bytes, *, kind: str = "response", url: str = "http://A.example/x?b=1&a=2#f", about: str = "application/http"
) -> bytes:
    head = [
        *("WARC/1.1", f"WARC-Type: {kind}", f"WARC-Target-URI: {url}", "WARC-Date: 2024-05-06T07:08:09Z"),
        *(f"Content-Type: {about}", f"Content-Length: {len(block)}"),
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def response(body: bytes = PAGE, *headers: bytes, status: bytes = b"200 OK", url: str = "http://a.example/") -> bytes:
    return record(b"\r\n".join([b"HTTP/1.1 " + status, *(headers or (TYPE,))]) + b"\r\n\r\n" + body, url=url)


def write(folder: Path, data: bytes, name: str = "x.warc.gz") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def only(folder: Path, data: bytes) -> Row:
    (row,) = rows(Warc(), write(folder, data, "x.warc"))
    return row


def kinds(path: Path, *, start: int = 0, end: int = -1) -> Counter[str]:
    counts: Counter[str] = Counter()
    list(Warc().read(str(path), name="name", start=start, end=end, counts=counts))
    return counts


def noise(seed: int, size: int) -> bytes:
    return b"<html>" + random.Random(seed).randbytes(size).hex().encode()


def test_a_response_has_its_url_and_time_of_fetching(tmp_path: Path) -> None:
    """The id is the canonical URL; the URL as fetched is kept."""
    row = only(tmp_path, record(b"HTTP/1.1 200 OK\r\n" + TYPE + b"\r\n\r\n" + PAGE))

    assert (row["source_id"], row["url"]) == ("http://a.example/x?a=2&b=1", "http://A.example/x?b=1&a=2#f")
    assert (row["content"], row["media_type"]) == (PAGE, "text/html; charset=utf-8")
    assert row["record_sha256"] == hashlib.sha256(PAGE).hexdigest()
    assert row["fetched_at"] == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def chunked(body: bytes) -> bytes:
    return b"5\r\n" + body[:5] + b"\r\n" + f"{len(body) - 5:x};x=y\r\n".encode() + body[5:] + b"\r\n0\r\n\r\n"


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def brotli(body: bytes) -> bytes:
    path = Path(tempfile.mkdtemp()) / "x.br"
    with fastwarc.stream_io.BrotliWriter(str(path)) as writer:
        writer.write(body)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (chunked(PAGE), b"Transfer-Encoding: chunked"),
        (gzip.compress(PAGE, mtime=0), b"Content-Encoding: gzip"),
        (gzip.compress(gzip.compress(PAGE, mtime=0), mtime=0), b"Content-Encoding: gzip, gzip"),
        (zlib.compress(PAGE), b"Content-Encoding: deflate"),
        (raw_deflate(PAGE), b"Content-Encoding: deflate"),
        (brotli(PAGE), b"Content-Encoding: br"),
        (zstandard.compress(PAGE), b"Content-Encoding: zstd"),
        *((PAGE, b"Content-Encoding: " + coding) for coding in (b"gzip", b"deflate", b"br", b"zstd", b"nonsense")),
        (PAGE, b"Transfer-Encoding: chunked"),
        (gzip.compress(PAGE[:9]) + gzip.compress(PAGE[9:]), b"Content-Encoding: gzip"),
        (brotli(gzip.compress(PAGE)), b"Content-Encoding: gzip, br"),
        (brotli(gzip.compress(PAGE)), b"Content-Encoding: gzip\r\nX: y\r\nContent-Encoding: br"),
        (chunked(gzip.compress(PAGE)[:-8]), b"Transfer-Encoding: gzip, chunked"),
    ],
)
def test_content_codings_are_decoded_if_they_are_present(tmp_path: Path, body: bytes, header: bytes) -> None:
    """Archives often store the decoded body with the original header."""
    assert only(tmp_path, response(body, TYPE, header))["content"] == PAGE


def test_a_truncated_body_is_accepted_only_with_warc_truncated(tmp_path: Path) -> None:
    """The header is kept in the metadata, because it shows that a part of the page is missing."""
    data = response(gzip.compress(noise(1, 9000))[:-2000], TYPE, b"Content-Encoding: gzip")

    whole, cut = (
        only(tmp_path, data),
        only(tmp_path, data.replace(b"WARC-Date", b"WARC-Truncated: length\r\nWARC-Date")),
    )

    assert (whole["rule"], whole["content"]) == ("error.truncated", None)
    assert (cut["rule"], cut["metadata"]) == (None, {"warc_truncated": "length"})


def test_a_decompression_bomb_is_too_large(tmp_path: Path) -> None:
    """The limit applies to the decoded body, and decoding stops there."""
    bomb = gzip.compress(gzip.compress(bytes(300_000_000), 1))

    assert only(tmp_path, response(bomb, TYPE, b"Content-Encoding: gzip, gzip"))["rule"] == "error.too_large"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (response(b""), "error.empty"),
        (response(b"\x89PNG\r\n", b"Content-Type: image/png"), "error.not_text"),
        (response(b"%PDF-1.7", TYPE), "error.not_text"),
        (response(PAGE, b"X: y"), None),
        (response("grüße".encode("utf-16"), b"Content-Type: text/html; charset=utf-16"), None),
        (record(b"plain words", kind="resource", about="text/plain"), None),
        (record("Wörter".encode(), kind="conversion", about="text/plain"), None),
        (record(b"W\xc3\xb6rter \xff", kind="conversion", about="text/plain"), "error.encoding"),
    ],
)
def test_a_response_is_a_document_or_has_a_rule(tmp_path: Path, data: bytes, rule: str | None) -> None:
    """A response with status 200 and another media type must not be lost silently."""
    assert only(tmp_path, data)["rule"] == rule


def test_other_records_are_counted_by_kind(tmp_path: Path) -> None:
    """Records that are not documents must not be lost silently."""
    archive = [
        *(record(b"", kind=kind) for kind in ("warcinfo", "request", "revisit", "metadata")),
        response(PAGE),
        response(PAGE, url="http://a.example/robots.txt"),
        *(response(PAGE, status=status) for status in (b"301 x", b"404 x", b"503 x", b"206 x")),
        record(b"not http at all"),
        record(b"log", kind="resource", url="<metadata://gnu.org/log>", about="text/plain"),
    ]
    archive += [record(b"", kind=f"mine-{number}") for number in range(3)]
    path = write(tmp_path, b"".join(map(gzip.compress, archive)))

    assert len(rows(Warc(), path)) == 1
    assert kinds(path) == {
        **{"client_error": 1, "metadata": 2, "not_http": 1, "other_status": 1, "redirect": 1, "request": 1},
        **{"revisit": 1, "robots": 1, "server_error": 1, "warcinfo": 1, "unknown": 3},
    }


def test_slices_count_what_the_whole_file_counts(tmp_path: Path) -> None:
    """Each record is counted once, by the task that reads its slice."""
    archive = [gzip.compress(record(b"x" * 3000, kind="request") + response()) for _ in range(50)]
    path = write(tmp_path, b"".join(archive))
    size = path.stat().st_size

    for cut in range(0, size, size // 9):
        assert kinds(path, end=cut) + kinds(path, start=cut) == kinds(path) == {"request": 50}


@pytest.mark.parametrize(("old", "new"), [(b"Content-Length", b"content-LENGTH"), (b"WARC-Type", b"Warc-type")])
def test_field_names_are_case_insensitive(tmp_path: Path, old: bytes, new: bytes) -> None:
    """WARC 1.1 §4 allows any case, and some writers use it."""
    for name in ("x.warc", "x.warc.gz"):
        data = response().replace(old, new)
        path = write(tmp_path, gzip.compress(data) if name.endswith("gz") else data, name)

        assert [row["content"] for row in rows(Warc(), path)] == [PAGE]


@pytest.mark.parametrize("is_packed", [True, False])
def test_header_lines_can_end_in_lf(tmp_path: Path, is_packed: bool) -> None:
    """Scripts write such lines, and lenient readers accept them (as RFC 9112 §2.2 for HTTP)."""
    head, _, block = response().partition(b"\r\n\r\n")
    data = head.replace(b"\r\n", b"\n") + b"\n\n" + block.removesuffix(b"\r\n\r\n") + b"\n\n"
    path = write(tmp_path, b"".join([gzip.compress(data)] * 2) if is_packed else data * 2, "x.warc")

    assert [row["content"] for row in rows(Warc(), path)] == [PAGE, PAGE]


@pytest.mark.parametrize("blank", [b"\r\n\r\n", b"\n"])
def test_lines_before_the_first_record_are_passed_over(tmp_path: Path, blank: bytes) -> None:
    """Tools that put archives together write the lines that end a record at the beginning of the next file."""
    plain = write(tmp_path, blank + response() * 2, "x.warc")
    packed = write(tmp_path, gzip.compress(blank + response()) + gzip.compress(response()), "x.warc.gz")

    assert [row.get("content") for row in rows(Warc(), plain)] == [PAGE, PAGE]
    assert [row.get("content") for row in rows(Warc(), packed)] == [PAGE, PAGE]


def usual(frame: bytes) -> object:
    return _usual_record(warc_frames.Frame(0, frame, lambda: io.BytesIO(frame), lambda: len(frame)))


@pytest.mark.parametrize(
    "change",
    [
        (b"WARC-Date", b"WARC-Type: request\r\nWARC-Date"),
        (b"WARC-Date", b"X: a\r\n b\r\nWARC-Date"),
        (b"WARC-Date: ", b"WARC-Date:"),
        (b"a.example", "ä.example".encode()),
        (b"Content-Length: ", b"Content-Length: 1"),
        (b"Content-Length: ", b"Content-Length: +"),
        (b"Content-Length: ", b"X-Length: "),
        (b"WARC/1.1", b"WARC/0.18"),
        (b"WARC/1.1", b"HTTP/1.1"),
        (b"Hello\r\n", b"Hello\r\n\r\n"),
        (b"Hello\r\n\r\n", b"Hello\r\n"),
    ],
)
def test_an_unusual_record_is_left_to_the_lenient_reader(change: tuple[bytes, bytes]) -> None:
    """The fast parser must accept only records that are unambiguous."""
    assert usual(response()) is not None
    assert usual(response().replace(*change)) is None


@pytest.mark.parametrize("name", ["Content-length", "content-length", "CONTENT-LENGTH"])
@pytest.mark.parametrize(
    "odd", [("WARC-Date: ", "WARC-Date:"), ("a.example", "ä.example"), ("WARC-Date", "X: a\r\n b\r\nWARC-Date")]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("is_crlf", [True, False])
def test_unusual_headers_are_read_alike_in_every_compression(
    tmp_path: Path, name: str, odd: tuple[str, str], pack: Callable[[bytes], bytes], is_crlf: bool
) -> None:
    """Case, line ends, folding and non-ASCII bytes can occur in any combination."""
    head, _, block = response().replace(odd[0].encode(), odd[1].encode()).partition(b"\r\n\r\n")
    head = head.replace(b"Content-Length", name.encode()) + b"\r\n\r\n"
    data = (head if is_crlf else head.replace(b"\r\n", b"\n")) + block

    offered = rows(Warc(), write(tmp_path, pack(data * 2), "x.warc"))

    assert [(row["content"], row["rule"]) for row in offered] == [(PAGE, None)] * 2
    assert all(row["fetched_at"] == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC) for row in offered)


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("2024", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-05", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-05-06", datetime(2024, 5, 6, tzinfo=UTC)),
        ("2024-05-06T07:08Z", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
        ("2024-05-06T07:08:09.123456789Z", datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)),
        ("20240506070809", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("202405060708", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
        ("2024-13", None),
        ("yesterday", None),
    ],
)
def test_a_date_can_have_any_precision_of_the_standard(tmp_path: Path, date: str, time: datetime | None) -> None:
    """WARC 1.1 §5.4 allows the precisions of W3C-DTF: year, month, day, minute, second and fractions."""
    row = only(tmp_path, response().replace(b"2024-05-06T07:08:09Z", date.encode()))

    assert (row["fetched_at"], row["content"]) == (time, PAGE)


@pytest.mark.parametrize(
    ("broken", "rule", "message"),
    [
        (response().replace(b"Content-Length", b"X-Length"), "error.bad_header", "has no Content-Length"),
        (b"no record\r\n\r\n", "error.not_warc", "begins with b'no record"),
        (
            response(PAGE * 2000).replace(b"Content-Length: ", b"Content-Length: 9"),
            "error.truncated",
            "file ends before",
        ),
    ],
)
def test_the_rule_depends_on_the_damage(tmp_path: Path, broken: bytes, rule: str, message: str) -> None:
    """A truncated record must be fetched again, but one with a bad header is complete."""
    offered = rows(Warc(), write(tmp_path, response() + broken + response(), "x.warc"))

    assert [row["rule"] for row in offered] == [None, rule, None]
    assert message in offered[1]["message"]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_the_records_after_a_header_without_a_length_are_read(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """The whole archive can be one compressed stream."""
    data = response() + response().replace(b"Content-Length", b"X-Length") + response() + b"garbage\r\n" + response()

    offered = rows(Warc(), write(tmp_path, pack(data)))

    assert [row["rule"] for row in offered] == [None, None, None, "error.bad_header"]


def arc_record(number: int, body: bytes = PAGE, *, more: str = "") -> bytes:
    block = b"HTTP/1.1 200 OK\r\n" + TYPE + b"\r\n\r\n" + body
    head = f"http://a.example/{number} 192.0.2.7 20070102030405 text/html {more}{len(block)}\n"
    return head.encode() + block + b"\n"


def arc_header(length: int) -> bytes:
    """Return the file header of an ARC file as Heritrix writes it, with XML metadata, and *length* as its length."""
    lines = (
        "1 1 InternetArchive\nURL IP-address Archive-date Content-type Archive-length\n<?xml version='1.0'?>\n<m/>\n"
    )
    return f"filedesc://x.arc 0.0.0.0 20070102030405 text/plain {length or len(lines)}\n{lines}\n".encode()


def heritrix_member(data: bytes) -> bytes:
    """Return *data* as the first member of a gzipped ARC file, whose extra field says ``LX`` (ARC 1.0)."""
    packed = gzip.compress(data, mtime=0)
    return packed[:3] + b"\x04" + packed[4:10] + b"\x08\0LX\x04\0\0\0\0\0" + packed[10:]


@pytest.mark.parametrize("length", [0, 1, 76, 200, 9000])
@pytest.mark.parametrize("is_packed", [True, False])
def test_arc_files_are_read_even_if_the_length_of_their_header_is_wrong(
    tmp_path: Path, length: int, is_packed: bool
) -> None:
    """Heritrix writes a wrong length. In a compressed file, each page is a separate gzip member."""
    pages = [arc_record(1), arc_record(2, gzip.compress(PAGE)), arc_record(3, b"<p>" + b"x" * 99_000)]
    first = arc_header(length)
    data = heritrix_member(first) + b"".join(map(gzip.compress, pages)) if is_packed else first + b"".join(pages)

    offered = rows(Warc(), write(tmp_path, data, "x.arc"))

    assert [row["url"] for row in offered] == [f"http://a.example/{number}" for number in (1, 2, 3)]
    assert [row["rule"] for row in offered] == [None, "error.not_text", None]
    assert offered[0]["fetched_at"] == datetime(2007, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_arc_files_of_version_2_are_read(tmp_path: Path) -> None:
    """The header line has ten fields; the first one is the URL."""
    data = arc_header(0) + arc_record(1, more="200 - - 100 x.arc ") + arc_record(2, more="200 checksum http://b/ 0 - ")

    offered = rows(Warc(), write(tmp_path, data, "x.arc"))

    assert [(row["url"], row["content"]) for row in offered] == [(f"http://a.example/{n}", PAGE) for n in (1, 2)]


def test_the_complete_pages_of_a_truncated_arc_file_are_read(tmp_path: Path) -> None:
    """Only the last page is incomplete."""
    data = b"".join(map(gzip.compress, [arc_header(0), arc_record(1), arc_record(2, noise(1, 9000))]))

    offered = rows(Warc(), write(tmp_path, data[:-3000], "x.arc.gz"))

    assert [row["rule"] for row in offered] == [None, "error.truncated", "error.truncated"]


@given(body=st.binary(max_size=300), url=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_all_readers_agree_on_a_usual_record(body: bytes, url: str) -> None:
    """The fast parser must return the same record as the lenient reader and warcio."""
    frame = response(body, url=url)

    (ours,) = [usual(frame)]
    (lenient,) = _records_of(warc_frames.Frame(0, frame, lambda: io.BytesIO(frame), lambda: len(frame)))
    theirs = next(iter(ArchiveIterator(io.BytesIO(frame), no_record_parse=True)))

    assert isinstance(ours, Record)
    assert ours == lenient
    assert (ours.url, bytes(ours.block.data)) == (
        theirs.rec_headers.get_header("WARC-Target-URI").removeprefix("<").removesuffix(">"),
        theirs.raw_stream.read(),
    )


def test_a_record_with_an_invalid_url_is_read(tmp_path: Path) -> None:
    """One such record in millions must not stop the run, and its page is still a document."""
    archive = response(PAGE, url="http://[bad/") + record(b"x", kind="resource", url="http://[", about="text/html")

    path = write(tmp_path, archive + response(PAGE), "x.warc")

    assert len(rows(Warc(), path)) == 3
    assert not kinds(path)


archives = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 40_000)), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(sizes=archives, is_packed=st.booleans(), damage=st.one_of(st.none(), st.floats(0, 1)), data=st.data())
def test_slices_give_what_the_whole_file_gives(
    sizes: list[tuple[int, int]], is_packed: bool, damage: float | None, data: st.DataObject
) -> None:
    """Each record belongs to one slice, independent of where the file is cut, also in damaged files."""
    records = [response(noise(seed, size), url=f"http://a.example/{n}") for n, (seed, size) in enumerate(sizes)]
    archive = bytearray(b"".join(map(gzip.compress, records) if is_packed else records))
    if damage is not None:
        archive[int(damage * (len(archive) - 1))] ^= 0xFF
    cuts = data.draw(st.lists(st.integers(0, len(archive)), max_size=4))
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), bytes(archive))

        whole = rows(Warc(), path)

        assert in_slices(Warc(), path, sorted([0, *cuts, len(archive)])) == whole
        assert damage is not None or [row["url"] for row in whole] == [
            f"http://a.example/{n}" for n in range(len(sizes))
        ]


@pytest.mark.parametrize("level", [0, 6])
def test_an_archive_inside_an_archive_is_one_page_in_every_slice(tmp_path: Path, level: int) -> None:
    """A fetched archive is stored uncompressed in the outer one, so its members could be mistaken for records."""
    inner = b"".join(gzip.compress(response(noise(n, 20_000), url=f"http://inner.example/{n}")) for n in range(30))
    records = [response(noise(n, 9_000), url=f"http://a.example/{n}") for n in range(20)]
    records.insert(10, response(inner, TYPE))
    archive = b"".join(gzip.compress(data, level) for data in records)
    path = write(tmp_path, archive)

    whole = rows(Warc(), path)

    assert inner[:9000] in archive
    assert len(whole) == 21
    for cut in range(0, len(archive), len(archive) // 40):
        assert in_slices(Warc(), path, [0, cut, len(archive)]) == whole


def test_slices_begin_at_members_and_cover_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No record may be missed, and an empty slice would be a useless task."""
    monkeypatch.setattr("corpusmill.crawlers.loaders.base.MAX_SLICE_BYTES", 100_000)
    members = [gzip.compress(response(noise(n, 20_000))) for n in range(40)]
    path = write(tmp_path, b"".join(members))
    starts = {sum(map(len, members[:n])) for n in range(len(members))}

    slices = Warc().slices(str(path))

    assert len(slices) > 5
    assert {start for start, _ in slices} <= starts
    assert [end for _, end in slices] == [*(start for start, _ in slices[1:]), path.stat().st_size]
    assert all(rows(Warc(), path, start=start, end=end) for start, end in slices)


def test_only_damaged_records_are_lost(tmp_path: Path) -> None:
    """One row reports the damage, its id is the hash of the damaged bytes, and reading resumes after them."""
    members = [gzip.compress(response(noise(n, 40_000), url=f"http://a.example/{n}")) for n in range(9)]
    members[3] = members[3][:2000] + b"\xff" * 500 + members[3][2500:]
    path = write(tmp_path, b"".join(members))

    offered = rows(Warc(), path)

    assert [row["url"] for row in offered] == [
        *(f"http://a.example/{n}" for n in range(3)),
        None,
        *(f"http://a.example/{n}" for n in range(4, 9)),
    ]
    assert offered[3]["rule"] == "error.truncated"
    assert offered[3]["source_id"] == hashlib.sha256(members[3]).hexdigest()


@pytest.mark.parametrize("held", [warc_frames.MAX_HELD_BYTES, 1000])
def test_one_gzip_stream_over_the_whole_archive_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    """A plain archive can be compressed as a whole; if it is truncated, its complete records are read."""
    monkeypatch.setattr(warc_frames, "MAX_HELD_BYTES", held)
    packed = gzip.compress(b"".join(response(noise(n, 5000), url=f"http://a.example/{n}") for n in range(30)))

    whole = rows(Warc(), write(tmp_path, packed))
    clipped = rows(Warc(), write(tmp_path, packed[: len(packed) // 2]))

    assert [row["url"] for row in whole] == [f"http://a.example/{n}" for n in range(30)]
    assert clipped[-1]["rule"] == "error.truncated"
    assert [row["url"] for row in clipped[:-1]] == [f"http://a.example/{n}" for n in range(len(clipped) - 1)]
    assert 10 < len(clipped) < 17


def test_records_across_several_members_are_read(tmp_path: Path) -> None:
    """Block-wise gzip tools (bgzip, pigz) ignore the boundaries of records."""
    archive = b"".join(response(noise(n, 5000), url=f"http://a.example/{n}") for n in range(9))
    packed = b"".join(gzip.compress(archive[start : start + 7000]) for start in range(0, len(archive), 7000))

    assert [row["url"] for row in rows(Warc(), write(tmp_path, packed))] == [f"http://a.example/{n}" for n in range(9)]


def test_a_record_above_the_size_limit_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A video in the archive must not use up memory, and the records after it are read."""
    monkeypatch.setattr("corpusmill.crawlers.loaders.warc_records._MAX_BLOCK_BYTES", 10_000)
    monkeypatch.setattr(warc_frames, "MAX_HELD_BYTES", 1000)
    records = [response(PAGE), response(noise(0, 20_000)), response(PAGE)]
    for archive in (b"".join(map(gzip.compress, records)), b"".join(records)):
        offered = rows(Warc(), write(tmp_path, archive))

        assert [row["rule"] for row in offered] == [None, "error.too_large", None]


def test_zstandard_archives_are_read(tmp_path: Path) -> None:
    """The zstd form of WARC has one frame per record."""
    path = write(
        tmp_path, b"".join(zstandard.compress(response(url=f"http://a.example/{n}")) for n in range(3)), "x.warc.zst"
    )

    assert [row["url"] for row in rows(Warc(), path)] == [f"http://a.example/{n}" for n in range(3)]


@pytest.mark.parametrize(
    "data", [b"no archive at all", gzip.compress(b"nor this", mtime=0), b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfdxx"]
)
def test_a_file_that_is_not_an_archive_is_one_error(tmp_path: Path, data: bytes) -> None:
    """A text file with the suffix .warc must not stop a run."""
    assert [row["rule"] for row in rows(Warc(), write(tmp_path, data))] in (["error.not_warc"], ["error.truncated"])


def test_an_empty_archive_has_no_records(tmp_path: Path) -> None:
    """A crawl that was killed early leaves an empty file, which is not an error."""
    assert rows(Warc(), write(tmp_path, b"")) == []


def pages_by_warcio(path: Path) -> list[tuple[str, str]]:
    """Return the URL and body hash of the responses with status 200, as read by warcio."""
    pages = []
    with path.open("rb") as file:
        for item in ArchiveIterator(file):
            if item.rec_type == "response" and item.http_headers and item.http_headers.get_statuscode() == "200":
                url = item.rec_headers.get_header("WARC-Target-URI")
                if not url.endswith("/robots.txt"):
                    pages.append((url, hashlib.sha256(item.content_stream().read()).hexdigest()))
    return pages


@pytest.mark.parametrize("name", ["sample-0000", "sample-0001", "warcfile", "test", "whirlwind", "cc"])
def test_warcio_reads_the_same_bodies(name: str) -> None:
    """The samples are real archives."""
    (path,) = samples("warc", f"{name}.warc.gz")

    ours = [(row["url"], row["record_sha256"]) for row in rows(Warc(), path) if row["content"] is not None]

    assert ours
    assert set(ours) <= set(pages_by_warcio(path))


def test_every_sample_is_read_independent_of_slices() -> None:
    """The samples have unusual properties that other projects came across."""
    for path in [*samples("warc"), *samples("wet-wat")]:
        size = path.stat().st_size

        whole = rows(Warc(), path)

        assert whole or kinds(path)
        for cut in range(0, size, size // 9 + 1):
            assert in_slices(Warc(), path, [0, cut, size]) == whole


@pytest.mark.parametrize(
    ("headers", "license"),
    [
        ([b'Link: <https://creativecommons.org/licenses/by/4.0/>; rel="license"'], "CC-BY-4.0"),
        ([b"link: </x>; rel=next, <http://creativecommons.org/publicdomain/zero/1.0>; rel=LICENSE"], "CC0-1.0"),
        ([b'Link: <https://a.example/l.xml>; rel="license"; type="application/rsl+xml"'], None),
        ([b"Link: <https://a.example/terms>; rel=license"], None),
        (
            [
                b"Link: <https://creativecommons.org/licenses/by/4.0/>; rel=license",
                b"Link: <https://creativecommons.org/licenses/by/3.0/>; rel=license",
            ],
            None,
        ),
    ],
)
def test_a_license_in_a_header_is_that_of_the_page(tmp_path: Path, headers: list[bytes], license: str | None) -> None:
    """Several licenses say nothing about the text."""
    row = only(tmp_path, response(PAGE, TYPE, *headers))

    assert (row["license"], row["license_source"]) == (license, "header:Link" if license else None)


def test_a_wet_file_has_the_text_as_it_stands_and_its_languages(tmp_path: Path) -> None:
    """Common Crawl identifies up to three languages of a page."""
    text = "Línea <b>uno</b>\n\n  dos\n".encode()
    data = record(text, kind="conversion", about="text/plain", url="https://a.example/x")
    data = data.replace(b"WARC-Date", b"WARC-Identified-Content-Language: spa,ENG\r\nWARC-Date")

    (row,) = rows(Wet(), write(tmp_path, gzip.compress(data), "x.warc.wet.gz"))

    assert row["text"].encode() == text
    assert (row["source_id"], row["metadata"]) == ("https://a.example/x", {"language": "spa,eng"})
    assert row["fetched_at"] == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def test_a_wat_file_is_counted() -> None:
    """Its records describe pages and have no text."""
    (path,) = samples("wet-wat", "*.wat.gz")

    assert not rows(Warc(), path)
    assert kinds(path)["metadata"] > 0
