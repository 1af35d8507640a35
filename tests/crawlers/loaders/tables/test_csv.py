"""CSV and TSV."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.loaders import csv_lines
from corpusmill.crawlers.loaders.csv_rows import Csv
from corpusmill.schemas.errors import SourceError
from tests.crawlers.loaders.reading import rows


def read(folder: Path, data: str | bytes, *, name: str = "a.csv", **options: object) -> dict[str, str | None]:
    """Return the texts, or the rules, by id; the id of a record without one is ``?``."""
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    found = rows(Csv.model_validate(options), path)
    return {
        "?" if row["source_id"] == row["record_sha256"] or len(row["source_id"]) == 64 else row["source_id"]: (
            row["text"] if row["rule"] is None else row["rule"]
        )
        for row in found
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('id,title,text\n1,T,"a, ""b""\nc"\n2,U,plain\n', {"1": 'a, "b"\nc', "2": "plain"}),
        ("id;text\r\n1;a, b\r\n", {"1": "a, b"}),
        ("id\ttext\n1\ta, b; c | d\n", {"1": "a, b; c | d"}),
        ("id|text\n1|a\n", {"1": "a"}),
        ("sep=;\r\nid;text\r\n1;a,b\r\n", {"1": "a,b"}),
        ("id,text\r1,a\r2,b\r", {"1": "a", "2": "b"}),
        ("\ufeffid,text\n1,x\n", {"1": "x"}),
        ("id|text\n1|é\n".encode("utf-16"), {"1": "é"}),
        (
            "id,text\n1,café and naïve words of old letters\n".encode("cp1252"),
            {"1": "café and naïve words of old letters"},
        ),
        ('id,text\n1,"say \\"hi\\" now"\n', {"1": 'say "hi" now'}),
        ('id,text\n1,5" disk\n2,"x"\n', {"1": '5" disk', "2": "x"}),
        ("id,text\n\n1,a\rb\n", {"1": "a b"}),
        ("id,text\n1,'a, b'\n2,'it''s \n\"c\"'\n", {"1": "a, b", "2": 'it\'s \n"c"'}),
        ("id;'text'\n1;'say \\'hi\\' C:\\new'\n", {"1": "say 'hi' C:\\new"}),
        ('id, title, text\n1, "a, b", "c\nd"\n2, e, f\n', {"1": "c\nd", "2": "f"}),
        ("# made by x, y\n# 2024\nid,text\n1,a\n# end\n2,#b\n", {"1": "a", "2": "#b"}),
        ("Report,,\n2024-01-01,,\n\nid,title,text\n1,T,a\n", {"1": "a"}),
        ("#id\ttext\n1\ta\n2\t\\N\n", {"1": "a", "2": "error.no_text"}),
        ("text\nwords, without quotes\nothers\n", {"?": "others"}),
        ('id\ttext\n1\t"Stop" he said\n2\t"Go on"\n', {"1": '"Stop" he said', "2": "Go on"}),
        ('id,text\n1,"say "hi" now"\n2,"ok"\n', {"1": 'say "hi" now', "2": "ok"}),
        ("id\ttext\n" + "".join(f'{number}\t"open {number}\n' for number in range(9)), {"3": '"open 3'}),
        ('id,text\n1,"a\u2028b\x0cc"\n\x1a', {"1": "a\u2028b\x0cc"}),
        ("id|text\r1|ソ|ト\r2|a\n", {"?": "error.ragged", "2": "a"}),
        ("text\njust one column\n", {"?": "just one column"}),
        ("id,text,text,\n1,a,b,c\n", {"1": "a"}),
        (gzip.compress(b"id,text\n1,a\n"), {"1": "a"}),
    ],
)
def test_the_dialect_and_the_encoding_are_recognized(
    tmp_path: Path, data: str | bytes, expected: dict[str, str]
) -> None:
    """Delimiters, quotes, line ends and encodings of the programs that write such files."""
    assert read(tmp_path, data).items() >= expected.items()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("id,text\n1,a,b\n2,c\n3\n4,d,,\n", {"?": "error.ragged", "2": "c", "3": "error.no_text", "4": "d"}),
        ('id,text\n1,"never closed\n2,b\n3,c\n', {"?": "error.not_csv", "2": "b", "3": "c"}),
        (b"id,text\n1,\xff bad\n2,good \xc3\xa9\xc3\xa9\n", {"?": "error.encoding", "2": "good éé"}),
        (b"id,text\n1,a\n2,b\0c\n3,d\n", {"1": "a", "?": "error.not_text", "3": "d"}),
        ('id,text\n1,"opened\n2,"b"\n3,"c"\n', {"?": "error.not_csv", "2": "b", "3": "c"}),
        ("id|text\n1|ソース\n".encode("cp932") + b"2|\x85\xff\n", {"1": "ソース", "?": "error.encoding"}),
        ("id|text\n1|a\n2|".encode("utf-16") + b"\0\xd8\n\0" + "3|b\n".encode("utf-16-le"), {"1": "a", "3": "b"}),
        (b"id,text\n1,a\n2,b\0c\n" + b"3,words\n" * 9000, {"3": "words", "?": "error.not_text"}),
        (b"\x89PNG\r\n\x1a\n\0\0\0" * 50, {"?": "error.not_text"}),
        ("<html><body>a,b</body></html>", {"?": "error.not_csv"}),
        ("", {"?": "error.empty"}),
        (
            gzip.compress(b"id,text\n1,a\n" + random.Random(1).randbytes(999).hex().encode() + b"\n")[:-400],
            {"?": "error.truncated"},
        ),
    ],
)
def test_what_cannot_be_read_is_set_aside_and_its_neighbors_are_not(
    tmp_path: Path, data: str | bytes, expected: dict[str, str]
) -> None:
    """Rows that are ragged, not text or in another encoding, and files of another format."""
    assert read(tmp_path, data).items() >= expected.items()


def test_a_line_of_100_mb_is_set_aside(tmp_path: Path) -> None:
    """It is not kept in memory."""
    data = b"id,text\n1," + b"x" * 100_000_000 + b"\n2,b\n"

    assert read(tmp_path, data) == {"?": "error.too_large", "2": "b"}


def test_files_without_a_header_need_names_of_columns(tmp_path: Path) -> None:
    """A missing column is an error with a hint before any work."""
    assert read(tmp_path, "1;a\n2;b\n", columns=("id", "text")) == {"1": "a", "2": "b"}
    with pytest.raises(SourceError, match="has no column `text`") as error:
        Csv().check(str(tmp_path / "a.csv"))
    assert error.value.hint
    (tmp_path / "b.csv").write_text("id,texts\n1,a\n")
    with pytest.raises(SourceError) as error:
        Csv().check(str(tmp_path / "b.csv"))
    assert error.value.hint == "text_field: texts"


def test_slices_begin_with_records_and_have_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line breaks within quotes are no beginnings; with quotes within fields, the file is one slice."""
    monkeypatch.setattr("corpusmill.crawlers.loaders.csv_rows.MIN_SLICE_BYTES", 1000)
    monkeypatch.setattr(
        "corpusmill.crawlers.loaders.csv_rows.cuts", lambda path: [(at, 0) for at in range(0, 9000, 500)]
    )
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([number, f'a\n"b", {number}\n'] for number in range(900))

    slices = Csv().slices(str(path))
    found = [row for start, end in slices for row in rows(Csv(), path, start=start, end=end)]

    assert len(slices) > 10
    assert found == rows(Csv(), path)
    assert len(found) == 900
    path.write_text(path.read_text() + 'x,5" disk\n')
    assert Csv().slices(str(path)) == [(0, -1)]


CELLS = st.text(st.sampled_from('ab ",;|\t\nä€'), max_size=12)


@given(st.lists(st.tuples(CELLS.filter(str.strip), CELLS), min_size=1), st.sampled_from(",;|\t"))
def test_what_a_writer_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], by: str
) -> None:
    """Any text survives, with any delimiter."""
    data = io.StringIO()
    writer = csv.writer(data, delimiter=by)
    writer.writerow(["text", "more"])
    writer.writerows(cells)
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(data.getvalue().encode())

    found = rows(Csv(delimiter=by, quote='"'), path)

    assert [row["text"] for row in found] == [text for text, _ in cells]


LANGUAGES = {
    "utf-8": "Der Bär saß müde über dem Fluß, träumte; und schlief.",
    "utf-8-sig": "Le garçon a mangé une crêpe; c'était l'été.",
    "utf-16": "Москва является столицей России | самым большим городом.",
    "utf-16-be": "The quick brown fox, it jumps over the lazy dog.",
    "utf-32": "Zażółć gęślą jaźń, powiedział żołnierz.",
    "cp1252": "El niño pequeño comió una piña, mañana por la tarde.",
    "cp1250": "Książka leżała na stole, a świeca gasła powoli.",
    "koi8-r": "Мы встретились вчера вечером, и долго говорили о погоде.",
    "cp932": "ソフトウェアの表を読み込み、正しく処理する能力が必要です。",
    "iso2022_jp": "東京都の人口は約千四百万人で、世界最大級の都市である。",
    "gb18030": "北京是中华人民共和国的首都,也是全国的政治中心。",
}
LINE_ENDS = ("\n", "\r\n", "\r")
DIALECTS = [
    *itertools.product(",;|\t", "\"'", LINE_ENDS[:2], (csv.QUOTE_MINIMAL,), (None,)),
    *itertools.product(",;|\t", "\"'", LINE_ENDS, (csv.QUOTE_ALL,), (None, "\\")),
]


@pytest.mark.parametrize("encoding", LANGUAGES)
def test_every_dialect_is_read_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    """Programs combine them freely, and a wrong guess gives wrong text without an error."""
    chance = random.Random(encoding)
    for delimiter, quote, line_end, quoting, escape in chance.sample(DIALECTS, 24):
        texts = [
            chance.choice((" ", "\n", f" {quote}so{quote} ", delimiter)).join([LANGUAGES[encoding]] * number)
            for number in (1, 2, 3, 2, 4, 2)
        ]
        data = io.StringIO()
        style = {"escapechar": escape, "doublequote": escape is None, "lineterminator": line_end, "quoting": quoting}
        writer = csv.writer(data, delimiter=delimiter, quotechar=quote, **style)
        writer.writerow(["id", "amount", "text"])
        writer.writerows([number, "3,5", text] for number, text in enumerate(texts))

        found = read(tmp_path, data.getvalue().encode(encoding))

        expected = {str(number): text for number, text in enumerate(texts)}
        assert found == expected, (delimiter, quote, line_end, quoting, escape)


def test_unclosed_quotes_cannot_make_reading_quadratic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After so many bytes that are read again, the rest of the file is one record."""
    monkeypatch.setattr(csv_lines, "_MAX_REREAD_BYTES", 300)
    data = b"id,text\n" + b'1,"a"x","b\n' * 100

    found = rows(Csv(quote='"'), Path(_written(tmp_path, data)))

    assert found[0]["length"] < found[-2]["length"]
    assert sum(row["length"] for row in found) == len(data) - len(b"id,text\n")


def _written(folder: Path, data: bytes) -> str:
    (folder / "q.csv").write_bytes(data)
    return str(folder / "q.csv")


def test_a_quote_that_is_never_closed_takes_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty megabytes of short lines behind one would be millions of lines in memory."""
    monkeypatch.setattr(csv_lines, "MAX_RECORD_LINES", 1000)
    path = tmp_path / "t.csv"
    path.write_text('id,text\n1,"' + "x,y\n" * 5000)

    found = rows(Csv(text_field="text", id_field="id"), path, name=path.name)

    assert Counter(row["rule"] for row in found) == {"error.not_csv": 1, None: 4999}
