"""Reddit: posts and threads in the form of Pushshift, their Markdown, and files that are damaged."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from pydantic import ValidationError

from corpusmill.crawlers.loaders import buckets
from corpusmill.crawlers.loaders.reddit import Reddit
from corpusmill.crawlers.readers.reddit import post_text
from corpusmill.schemas.deidentification.pseudonyms import KEY_VARIABLE
from tests.crawlers.loaders.reading import Row, in_slices, rows


def comment(id: str, body: Any, **fields: Any) -> dict[str, Any]:
    return {
        "id": id, "body": body, "link_id": "t3_s1", "parent_id": "t3_s1", "subreddit": "tea", "author": "ann_lee",
        "score": 3, "created_utc": 1262304000,
    } | fields  # fmt: skip


def submission(id: str, title: str, selftext: str = "", **fields: Any) -> dict[str, Any]:
    return {
        "id": id, "title": title, "selftext": selftext, "is_self": True, "subreddit": "tea", "author": "ann_lee",
        "score": 7, "created_utc": "1262304000", "over_18": False, "link_flair_text": "Q &amp; A",
        "permalink": f"/r/tea/comments/{id}/title/",
    } | fields  # fmt: skip


def written(folder: Path, *posts: dict[str, Any], name: str = "posts.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(post) + "\n" for post in posts))
    return path


def read(folder: Path, *posts: dict[str, Any], loader: Reddit | None = None) -> list[Row]:
    return rows(loader or Reddit(), written(folder, *posts))


def counted(path: Path, loader: Reddit) -> Counter[str]:
    counts: Counter[str] = Counter()
    list(loader.read(str(path), name="name", counts=counts))
    return counts


def test_a_submission_and_a_comment_fill_the_columns(tmp_path: Path) -> None:
    posts = submission("s1", "Why &lt;tea&gt;?", "It is **good**."), comment("c1", "Yes.", created_utc=1262304000.0)

    first, second = read(tmp_path, *posts)

    assert (first["source_id"], first["title"]) == ("t3_s1", "Why <tea>?")
    assert first["text"] == "Why <tea>?\n\nIt is good."
    assert first["url"] == "https://www.reddit.com/r/tea/comments/s1/title/"
    assert first["published_at"] == second["published_at"] == datetime(2010, 1, 1, tzinfo=UTC)
    assert first["metadata"] == {
        "kind": "submission", "subreddit": "tea", "score": "7", "over_18": "false", "flair": "Q & A",
    }  # fmt: skip
    assert (second["source_id"], second["text"]) == ("t1_c1", "Yes.")
    assert second["url"] == "https://www.reddit.com/comments/s1/_/c1/"
    assert second["metadata"] == {
        "kind": "comment", "subreddit": "tea", "score": "3", "parent_id": "t3_s1", "link_id": "t3_s1",
    }  # fmt: skip
    assert "ann_lee" not in f"{first}{second}"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("&gt; They said.\n\nI say.", "I say."),
        ("a &amp; b &lt; c", "a & b < c"),
        ("`x &amp;amp; y` is code", "x &amp; y is code"),
        ("use List&lt;String&gt; here", "use List<String> here"),
        ("The end: &gt;!he dies!&lt;.", "The end: he dies."),
        ("&gt;!Alone!&lt;", "Alone"),
        ("10^2 is ^a ^(few words) more", "10^2 is a few words more"),
        ("~~old~~ **new** [link](https://x.org/u/ann)", "old new link"),
        ("thanks /u/ann_lee and u/bob\\_x, user/carl; /r/tea", "thanks /u/[user] and u/[user], user/[user]; /r/tea"),
        ("https://www.reddit.com/user/ann_lee wrote", "https://www.reddit.com/user/[user] wrote"),
        ("one\n\n&amp;#x200B;\n\n![img](abc)\n\ntwo", "one\n\ntwo"),
        ("* one\n* two\n\nthen\n\na|b\n-|-\n1|2", "- one\n- two\n\nthen\n\na | b\n1 | 2"),
    ],
)
def test_markdown_becomes_text(markup: str, text: str) -> None:
    assert post_text(markup, keeps_quotes=False) == text


def test_quotes_stay_by_choice(tmp_path: Path) -> None:
    (row,) = read(tmp_path, comment("c1", "&gt; They said.\n\nI say."), loader=Reddit(keep=("quotes",)))

    assert row["text"] == "They said.\n\nI say."


def test_posts_without_text_are_counted_by_kind(tmp_path: Path) -> None:
    """A question in the title of a submission is a document; a link is one by choice."""
    path = written(
        tmp_path,
        comment("c1", "[deleted]"),
        comment("c2", "[removed]"),
        comment("c3", " "),
        comment("c4", "[ Removed by Reddit ]"),
        submission("s1", "Gone", "[removed]"),
        submission("s2", "[deleted by user]"),
        submission("s3", "What is tea?"),
        submission("s4", "A picture", is_self=False, url="https://i.redd.it/x.png"),
    )

    assert [row["source_id"] for row in rows(Reddit(), path)] == ["t3_s3"]
    assert [row["text"] for row in rows(Reddit(keep=("links",)), path)] == ["What is tea?", "A picture"]
    counts = counted(path, Reddit())
    assert {name: counts[name] for name in counts if name.startswith(("comments", "submissions"))} == {
        "comments.deleted": 1, "comments.removed": 2, "comments.empty": 1,
        "submissions.removed": 1, "submissions.deleted": 1, "submissions.links": 1,
    }  # fmt: skip


def test_the_page_of_a_user_does_not_give_the_name_away(tmp_path: Path) -> None:
    posts = submission("s1", "Hello", subreddit="u_ann_lee", permalink="/r/u_ann_lee/comments/s1/hello/")

    (row,) = read(tmp_path, posts)

    assert "ann_lee" not in str(row)
    assert row["url"] == "https://www.reddit.com/comments/s1/"


def test_pseudonyms_need_a_key_and_tell_authors_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(ValidationError, match="is not set"):
        Reddit(authors="pseudonyms")
    monkeypatch.setenv(KEY_VARIABLE, "a key of sufficient length")
    authors = ("Ann_Lee", "ann_lee", "annlee", "[deleted]")

    found = read(
        tmp_path,
        *(comment(f"c{index}", "x", author=author) for index, author in enumerate(authors)),
        loader=Reddit(authors="pseudonyms"),
    )

    first, same, other, nobody = (row["metadata"].get("author") for row in found)
    assert first == same != other
    assert nobody is None


def test_a_thread_has_its_comments_in_the_order_of_the_tree(tmp_path: Path) -> None:
    posts = (
        comment("c3", "answer to first", parent_id="t1_c1"),
        comment("c2", "best", score=9),
        comment("c1", "first", score=2),
        comment("c4", "[deleted]", score=2),
        comment("c5", "below the deleted one", parent_id="t1_c4", score=99),
        comment("c6", "a circle", parent_id="t1_c6"),
        submission("s1", "Tea?", "[deleted]"),
        comment("d1", "without submission", link_id="t3_s2", parent_id="t3_s2"),
    )

    found = {row["source_id"]: row for row in read(tmp_path, *posts, loader=Reddit(documents="threads"))}

    expected = ["Tea?", "best", "first", "answer to first", "below the deleted one", "a circle"]
    assert found["t3_s1"]["text"].split("\n\n") == expected
    assert found["t3_s1"]["metadata"]["comments"] == "5"
    assert found["t3_s2/comments"]["text"] == "without submission"
    assert len(found) == 2


def test_the_latest_state_of_a_comment_is_in_the_thread(tmp_path: Path) -> None:
    posts = (
        comment("c1", "new", retrieved_on=1262305000),
        comment("c1", "old", retrieved_on=1262304500),
        submission("s1", "Tea?"),
    )
    loader = Reddit(documents="threads")

    (row,) = read(tmp_path, *posts, loader=loader)

    assert row["text"] == "Tea?\n\nnew"
    assert counted(tmp_path / "posts.jsonl", loader)["comments.repeated"] == 1


def test_a_thread_does_not_depend_on_the_size_of_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    posts = [submission(f"s{index}", f"Title {index}") for index in range(200)]
    posts += [
        comment(f"c{index}", f"answer {index}", link_id=f"t3_s{index}", parent_id=f"t3_s{index}")
        for index in range(200)
    ]
    loader = Reddit(documents="threads")
    whole = read(tmp_path, *posts, loader=loader)

    monkeypatch.setattr(buckets, "BUCKET_BYTES", 300)
    parts = read(tmp_path, *posts, loader=loader)

    assert len(whole) == 200
    assert {row["source_id"]: row["text"] for row in whole} == {row["source_id"]: row["text"] for row in parts}


def test_a_dump_with_the_largest_window_is_read(tmp_path: Path) -> None:
    """`zstd --long=31`, as the monthly files are."""
    plain = written(tmp_path, *(comment(f"c{index}", f"comment {index}") for index in range(50)))
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=31, enable_ldm=False)
    packed = tmp_path / "RC_2010-01.zst"
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed.write_bytes(compressor.compress(plain.read_bytes()) + compressor.flush())

    assert zstandard.get_frame_parameters(packed.read_bytes()).window_size == 2**31
    assert rows(Reddit(), packed) == rows(Reddit(), plain)


def test_slices_have_the_records_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, *(comment(f"c{index}", f"comment {index}") for index in range(40)))
    size = path.stat().st_size

    sliced = in_slices(Reddit(), path, [*range(0, size, 333), size])

    assert sliced == rows(Reddit(), path)
    assert len(sliced) == 40


@pytest.mark.parametrize("documents", ["posts", "threads"])
def test_broken_records_are_set_aside_and_their_neighbors_are_read(tmp_path: Path, documents: Any) -> None:
    path = tmp_path / "posts.jsonl"
    lines = [
        json.dumps(comment("c1", "good")),
        '{"body": "cut',
        json.dumps({"id": "x", "display_name": "a subreddit"}),
        json.dumps(comment("c2", "[" * 100_000)),
        '{"body": ' + "[" * 100_000,
        json.dumps(comment("c3", "good, too", created_utc=1e300)),
    ]
    path.write_text("\n".join(lines))

    found = rows(Reddit(documents=documents), path)

    rules = [row["rule"] for row in found]
    assert sorted(rule for rule in rules if rule) == [
        "error.not_json", "error.too_complex", "error.too_deep", "error.wrong_format",
    ]  # fmt: skip
    assert "\n\n".join(row["text"] for row in found if row["text"]) == "good\n\ngood, too"


def test_a_file_that_is_cut_off_gives_its_readable_part(tmp_path: Path) -> None:
    content = gzip.compress(
        b"".join(json.dumps(comment(f"c{n}", f"t {n * 7919}")).encode() + b"\n" for n in range(999))
    )
    path = tmp_path / "posts.jsonl.gz"
    path.write_bytes(content[: len(content) // 2])

    found = rows(Reddit(), path, name="posts.jsonl.gz")

    assert len(found) > 100
    assert found[-1]["rule"] in {"error.truncated", "error.not_json"}
    assert "posts.jsonl.gz" in str(found[-1]["message"])


def test_posts_are_recognized_by_their_fields() -> None:
    assert Reddit.recognizes(json.dumps(comment("c1", "x")).encode())
    assert not Reddit.recognizes(b'{"text": "about a subreddit"}')
