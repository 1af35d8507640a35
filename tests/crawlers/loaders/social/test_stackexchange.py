"""Stack Exchange: posts and threads of a dump, in slices and from broken files."""

from __future__ import annotations

import gzip
import tracemalloc
from collections import Counter
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest

from corpusmill.crawlers.loaders import buckets
from corpusmill.crawlers.loaders.stackexchange import StackExchange
from tests.crawlers.loaders.reading import Row, in_slices, rows, samples

NAME = "coffee.stackexchange.com/Posts.xml"


def post(id: int, body: str, *, kind: int = 1, day: str = "2015-01-27", **attributes: object) -> str:
    values = {"Id": id, "PostTypeId": kind, "CreationDate": f"{day}T20:15:14.420", "Body": body, **attributes}
    return "  <row " + " ".join(f'{name}="{_quoted(value)}"' for name, value in values.items()) + " />\n"


def _quoted(value: object) -> str:
    return escape(str(value)).replace("\n", "&#xA;")


def dump(*posts: str) -> bytes:
    return ('\ufeff<?xml version="1.0" encoding="utf-8"?>\n<posts>\n' + "".join(posts) + "</posts>").encode()


def read(folder: Path, content: bytes, loader: StackExchange | None = None) -> list[Row]:
    path = folder / "Posts.xml"
    path.write_bytes(content)
    return rows(loader or StackExchange(), path, name=NAME)


def test_a_question_fills_the_columns(tmp_path: Path) -> None:
    body = "<p>How hot is <em>too</em> hot?</p>\n<pre><code>x = 1\n  y &lt; 2</code></pre>"
    question = post(
        1, body, Title="Water & <heat> &amp;", Tags="<brewing><water>", Score=7, OwnerUserId=8, OwnerDisplayName="Ann"
    )

    (row,) = read(tmp_path, dump(question))

    assert row["text"] == "How hot is too hot?\n\nx = 1\n  y < 2"
    assert (row["source_id"], row["title"]) == ("1", "Water & <heat> &amp;")
    assert row["url"] == "https://coffee.stackexchange.com/questions/1"
    assert row["published_at"] == datetime(2015, 1, 27, 20, 15, 14, 420_000, tzinfo=UTC)
    assert row["metadata"] == {
        "post_type": "question", "score": "7", "tags": "brewing; water", "site": "coffee.stackexchange.com",
    }  # fmt: skip
    assert "Ann" not in str(row)


@pytest.mark.parametrize(
    ("day", "stated", "license", "source"),
    [
        ("2011-04-07", None, "CC-BY-SA-2.5", "CreationDate"),
        ("2011-04-08", None, "CC-BY-SA-3.0", "CreationDate"),
        ("2018-05-01", None, "CC-BY-SA-3.0", "CreationDate"),
        ("2018-05-02", None, "CC-BY-SA-4.0", "CreationDate"),
        ("2018-05-02", "CC BY-SA 3.0", "CC-BY-SA-3.0", "ContentLicense"),
    ],
)
def test_the_license_depends_on_the_day(
    tmp_path: Path, day: str, stated: str | None, license: str, source: str
) -> None:
    attributes = {} if stated is None else {"ContentLicense": stated}

    (row,) = read(tmp_path, dump(post(1, "<p>x", day=day, **attributes)))

    assert (row["license"], row["license_source"]) == (license, f"stackexchange:{source}")


def test_answers_are_documents_and_other_posts_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "Posts.xml"
    path.write_bytes(
        dump(
            post(1, "q"),
            post(2, "a", kind=2, ParentId=1, Tags="|x|y|"),
            post(3, "wiki", kind=5),
            post(4, "x", DeletionDate="2016"),
        )
    )
    counts: Counter[str] = Counter()

    found = [
        row
        for batch in StackExchange(site="x.org").read(str(path), name="p", counts=counts)
        for row in batch.to_pylist()
    ]

    assert [(row["source_id"], row["url"]) for row in found] == [
        ("1", "https://x.org/questions/1"),
        ("2", "https://x.org/a/2"),
    ]
    assert {"key": "parent_id", "value": "1"} in found[1]["metadata"]
    assert (counts["posts.type_5"], counts["posts.deleted"]) == (1, 1)


def test_a_thread_is_a_question_with_its_answers(tmp_path: Path) -> None:
    content = dump(
        post(5, "late", kind=2, ParentId=1, Score=2),
        post(4, "first by score", kind=2, ParentId=1, Score=9),
        post(1, "question", Title="T", AcceptedAnswerId=6, day="2010-01-01"),
        post(2, "other question"),
        post(6, "accepted", kind=2, ParentId=1, Score=-1),
        post(7, "lost", kind=2, ParentId=99),
    )

    first, second = sorted(
        read(tmp_path, content, StackExchange(documents="threads")), key=lambda row: row["source_id"]
    )

    assert first["text"] == "question\n\naccepted\n\nfirst by score\n\nlate"
    assert (first["title"], first["license"]) == ("T", "CC-BY-SA-2.5 AND CC-BY-SA-3.0")
    assert first["metadata"]["answers"] == "3"
    assert second["text"] == "other question"


def test_threads_are_joined_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "BUCKET_BYTES", 20_000)
    many = [post(id, "q" * 3_000) for id in range(1, 1_501)]
    answers = [post(id + 5_000, f"answer {id}", kind=2, ParentId=id) for id in range(1, 1_501)]
    path = tmp_path / "Posts.xml"
    path.write_bytes(dump(*many, *answers))

    tracemalloc.start()
    found = sum(batch.num_rows for batch in StackExchange(documents="threads").read(str(path), name=NAME))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert found == 1_500
    assert peak < path.stat().st_size * 4, "not all threads at once"


@pytest.mark.parametrize("step", [97, 400, 1_000])
def test_slices_have_the_records_of_the_file(tmp_path: Path, step: int) -> None:
    content = dump(*(post(id, f"<p>text {id} &lt;row") for id in range(40)))
    whole = read(tmp_path, content)
    edges = [*range(0, len(content), step), len(content)]

    sliced = in_slices(StackExchange(site="coffee.stackexchange.com"), tmp_path / "Posts.xml", edges)

    assert [row["source_id"] for row in sliced] == [row["source_id"] for row in whole] == [str(id) for id in range(40)]
    assert [row["offset"] for row in sliced] == [row["offset"] for row in whole]
    assert all(start < end for start, end in pairwise(edges))


def test_broken_rows_are_set_aside_and_their_neighbors_are_read(tmp_path: Path) -> None:
    broken = '  <row Id="2" PostTypeId="1" Body="&lt;p>x" Body="twice" />\n'
    nameless = '  <row PostTypeId="1" Body="x" />\n'

    one, two, three, four = read(tmp_path, dump(post(1, "a"), broken, nameless, post(4, "b")))

    assert (one["text"], four["text"]) == ("a", "b")
    assert (two["rule"], three["rule"]) == ("error.not_xml", "error.wrong_format")


def test_a_file_that_is_cut_or_wrong_says_so(tmp_path: Path) -> None:
    content = dump(post(1, "a"), post(2, "b" * 100))
    cut = read(tmp_path, content[:-60])
    packed = read(tmp_path, gzip.compress(content)[:-40])

    assert [row["rule"] for row in cut] == [None, "error.truncated"]
    assert packed[-1]["rule"] == "error.truncated"
    assert [row["rule"] for row in read(tmp_path, b"no XML at all")] == ["error.wrong_format"]
    assert "unpack it" in read(tmp_path, b"7z\xbc\xaf\x27\x1c\0\4")[0]["message"]


def test_real_posts_are_read() -> None:
    (path,) = samples("stackexchange")

    found = rows(StackExchange(), path, name=path.name)

    assert sum(row["text"] is not None for row in found) == len(found) > 500
    assert {row["metadata"]["site"] for row in found} == {"coffee.stackexchange.com"}
    assert not any("<p>" in row["text"] for row in found)


@pytest.mark.parametrize("documents", ["posts", "threads"])
def test_pseudonyms_replace_the_ids_of_authors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, documents: Literal["posts", "threads"]
) -> None:
    monkeypatch.setenv("CORPUSMILL_PSEUDONYM_KEY", "a key of sufficient length")
    posts = (post(id, "q", OwnerUserId=owner, OwnerDisplayName="Ann") for id, owner in ((1, 88), (2, 88), (3, 99)))

    found = read(tmp_path, dump(*posts, post(4, "q")), StackExchange(documents=documents, authors="pseudonyms"))

    authors = {row["source_id"]: row["metadata"].get("author") for row in found}
    assert authors["1"] == authors["2"] != authors["3"]
    assert authors["1"] not in (None, "88")
    assert authors["4"] is None
