"""Reuters collections: stories of both forms, without the agency's marks."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from corpusmill.crawlers.loaders.reuters import Reuters
from tests.crawlers.loaders.reading import Row, rows

HEAD = '<!DOCTYPE lewis SYSTEM "lewis.dtd">\n'
STORY = """<REUTERS TOPICS="YES" LEWISSPLIT="TRAIN" CGISPLIT="TRAINING-SET" OLDID="5544" NEWID="1">
<DATE>26-FEB-1987 15:01:01.79</DATE>
<TOPICS><D>cocoa</D><D>coffee</D></TOPICS>
<PLACES><D>el-salvador</D></PLACES>
<PEOPLE></PEOPLE>
<UNKNOWN>
&#5;&#5;&#5;C T
&#22;f0704
</UNKNOWN>
<TEXT>&#2;
<TITLE>BAHIA &lt;BAH> SHOWERS</TITLE>
<AUTHOR>    By Ann Author, Reuters</AUTHOR>
<DATELINE>    SALVADOR, Feb 26 - </DATELINE><BODY>Showers continued through
the week at AT&amp;T.
    Prices rose
to 1,850 dlrs.
    Shr    34 cts
    Net    807,000
 Reuter
&#3;</BODY></TEXT>
</REUTERS>
"""


def read(folder: Path, content: str | bytes, loader: Reuters | None = None) -> list[Row]:
    path = folder / "reut2-000.sgm"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return rows(loader or Reuters(), path, name=path.name)


def test_a_story_is_read_as_a_newspaper_prints_it(tmp_path: Path) -> None:
    (row,) = read(tmp_path, HEAD + STORY)

    assert row["source_id"] == "1"
    assert row["title"] == "BAHIA <BAH> SHOWERS"
    assert row["text"] == (
        "SALVADOR, Feb 26 - Showers continued through the week at AT&T.\n"
        "Prices rose to 1,850 dlrs.\nShr    34 cts\nNet    807,000"
    )
    assert row["published_at"] == datetime(1987, 2, 26, 15, 1, 1, tzinfo=UTC)
    assert row["metadata"] == {"topics": "cocoa; coffee", "places": "el-salvador", "split": "train"}
    assert "Ann" not in str(row)


def test_letters_of_latin_1_are_read(tmp_path: Path) -> None:
    """One of the 22 files has some."""
    (row,) = read(tmp_path, (HEAD + STORY.replace("Prices rose", "Citro\u00ebn rose")).encode("latin-1"))

    assert "Citro\u00ebn rose to 1,850 dlrs." in row["text"]


def test_headlines_are_counted_and_unprocessed_texts_are_read(tmp_path: Path) -> None:
    brief = '<REUTERS NEWID="2"><DATE>?</DATE><TEXT TYPE="BRIEF">&#2;<TITLE>ONLY THIS</TITLE>&#3;</TEXT></REUTERS>\n'
    raw = '<REUTERS NEWID="3"><TEXT TYPE="UNPROC">&#2;\nAll of it\nReuter\n&#3;</TEXT></REUTERS>\n'
    path = tmp_path / "file.sgm"
    path.write_text(HEAD + brief + raw + STORY)
    counts: Counter[str] = Counter()

    texts = [text for batch in Reuters().read(str(path), name="x", counts=counts) for text in batch["text"].to_pylist()]

    assert texts[0] == "All of it"
    assert len(texts) == 2
    assert counts["headlines"] == 1
    assert [row["text"] for row in read(tmp_path, HEAD + brief, Reuters(headlines=True))] == ["ONLY THIS"]


def test_wrong_bytes_do_not_stop_the_file(tmp_path: Path) -> None:
    """One real file of the collection has bytes that are not UTF-8."""
    (row,) = read(tmp_path, (HEAD + STORY).encode().replace(b"Showers continued", b"Caf\xe9s continued"))

    assert "Cafés continued" in row["text"]


def test_a_story_of_the_second_collection_is_read(tmp_path: Path) -> None:
    newsitem = """<?xml version="1.0" encoding="iso-8859-1" ?>
    <newsitem itemid="2286" id="root" date="1996-08-20" xml:lang="en"><title>MEXICO: Recovery.</title>
    <headline>Recovery excitement.</headline><byline>Ann Author</byline><dateline>MEXICO CITY</dateline>
    <text><p>Emerging evidence &amp; caf\xe9s.</p><p>Second
    line.</p></text><copyright>(c) Reuters Limited 1996</copyright>
    <metadata><codes class="bip:topics:1.0"><code code="E11"/><code code="M11"/></codes></metadata></newsitem>"""

    (row,) = read(tmp_path, newsitem.encode("latin-1"))

    assert (row["source_id"], row["title"]) == ("2286", "Recovery excitement.")
    assert row["text"] == "Emerging evidence & cafés.\n\nSecond line."
    assert row["published_at"] == datetime(1996, 8, 20, tzinfo=UTC)
    assert row["metadata"] == {"language": "en", "topics": "E11; M11"}


@pytest.mark.parametrize(
    ("content", "rule"),
    [(b"plain text", "error.wrong_format"), (HEAD.encode() + STORY.encode()[:-30], "error.truncated")],
)
def test_what_is_no_collection_or_cut_is_set_aside(tmp_path: Path, content: bytes, rule: str) -> None:
    (row,) = read(tmp_path, content)

    assert row["rule"] == rule
    assert row["message"].startswith("reut2-000.sgm: ")
