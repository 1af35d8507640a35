"""Questions and answers of Stack Exchange: `Posts.xml` of a data dump."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final, Literal

from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.authors import Authored
from corpusmill.crawlers.loaders.base import cuts
from corpusmill.crawlers.loaders.buckets import Buckets, Member
from corpusmill.crawlers.loaders.streamed import Broken, Record
from corpusmill.crawlers.loaders.streams import is_compressed, packed
from corpusmill.crawlers.readers.html_text import plain_text
from corpusmill.crawlers.readers.xml import elements, parsed
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.licenses import spdx

QUESTION: Final = "1"
ANSWER: Final = "2"
_LICENSES: Final = ((date(2018, 5, 2), "CC-BY-SA-4.0"), (date(2011, 4, 8), "CC-BY-SA-3.0"), (date.min, "CC-BY-SA-2.5"))
"""Licenses of posts by their first day, from the terms of service: https://stackoverflow.com/help/licensing."""
_SITES: Final = "stackexchange|stackoverflow|superuser|serverfault|askubuntu|mathoverflow|stackapps"
_SITE: Final = re.compile(rf"(?:^|/)((?:[a-z0-9-]+\.)*(?:{_SITES})\.(?:com|net))(?=[/-])")
_ID: Final = re.compile(r"\d{1,18}")
_HEAD_BYTES: Final = 1 << 12
_ROOT: Final = re.compile(rb"<(?:posts|row)[\s/>]")
_SEVEN_ZIP: Final = b"7z\xbc\xaf\x27\x1c"
_TAGS: Final = re.compile(r"[^<>|]+")


class StackExchange(Authored):
    """Posts of a dump: questions and answers, each a document, or a question with its answers.

    Names of authors are not read, and their ids only for pseudonyms.
    """

    uses_name: ClassVar[bool] = False
    suffixes: ClassVar[tuple[str, ...]] = packed("Posts.xml")
    depends: ClassVar[tuple[str, ...]] = ("lxml",)
    about: ClassVar[About] = About(
        license="CC BY-SA 2.5, 3.0 or 4.0, by the attribute `ContentLicense` or the day of the post",
        get="the data dump from the Internet Archive or, with an account, from each site; unpack the .7z files",
        tried="592 real posts of coffee.stackexchange.com",
    )

    documents: Literal["posts", "threads"] = Field(
        default="posts",
        description="What a document is: a post, or a question with its answers, the accepted one before the others.",
    )
    site: str | None = Field(
        default=None,
        description="Host name of the site, for the URLs. Null: from the name of the file or its folder.",
        examples=["coffee.stackexchange.com"],
    )

    @property
    def reads_name(self) -> bool:
        """Whether the name of the file gives the site."""
        return self.site is None

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* has posts of Stack Exchange."""
        return b"<posts" in head[:1000] and b"<row" in head

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return byte ranges of a plain file of posts; a row belongs to the slice in which it begins."""
        return [(0, -1)] if self.documents == "threads" or is_compressed(path) else cuts(path)

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the posts or threads; other kinds of posts, such as wikis of tags, are counted.

        Raises:
            DataError: ``wrong_format``: the file has no posts; ``truncated``: it ends within a post.
        """
        head = stream.peek(_HEAD_BYTES)[:_HEAD_BYTES] if hasattr(stream, "peek") else b"<posts>"
        root = "posts" if b"<posts" in head else ""
        if head.startswith(_SEVEN_ZIP):
            raise DataError("a 7z archive: unpack it, and name its Posts.xml in `path`", kind="wrong_format")
        if not _ROOT.search(head):
            message = "not posts of Stack Exchange: no <posts> and no <row> at the beginning"
            raise DataError(message, kind="wrong_format")
        site = self.site or (found[1] if (found := _SITE.search(name)) else None)
        if start:
            stream.seek(start)
        rows = elements(stream, "row", start=start, end=end, root=root)
        if self.documents == "posts":
            for element in rows:
                yield from self._with_authors(_read(element.data, element.offset, site, counts), site)
        else:
            yield from self._with_authors(_threads(rows, site, counts), site)

    def _with_authors(self, records: Iterator[Record | Broken], site: str | None) -> Iterator[Record | Broken]:
        """Yield *records* with the pseudonym of the author, if the recipe asks for it, in place of the id."""
        for record in records:
            if isinstance(record, Record):
                owner = record.metadata.pop("author", "")
                record.metadata["author"] = self.author(owner, place=site or "stackexchange")
            yield record


def _read(data: bytes | None, offset: int, site: str | None, counts: Counter[str]) -> Iterator[Record | Broken]:
    try:
        row = _attributes(data)
        if (kind := row.get("PostTypeId")) not in {QUESTION, ANSWER}:
            counts[f"posts.type_{kind if kind and kind.isdecimal() else 'unknown'}"] += 1
            return
        if row.get("DeletionDate"):
            counts["posts.deleted"] += 1
            return
        assert data is not None, "its attributes were read"
        yield _record(row, [row], data, offset, site)
    except DataError as error:
        yield Broken(data or str(offset).encode(), error.kind, error.message, offset=offset)


def _attributes(data: bytes | None) -> dict[str, str]:
    if data is None:
        raise DataError("the post is larger than the limit", kind="too_large")
    row = {str(name): str(value) for name, value in parsed(data).attrib.items()}
    if not _ID.fullmatch(row.get("Id", "")):
        raise DataError("a row without an `Id`", kind="wrong_format")
    return row


def _record(row: dict[str, str], posts: list[dict[str, str]], native: bytes, offset: int, site: str | None) -> Record:
    """Return the document of *posts*, which *row* describes."""
    id, is_question = row["Id"], row.get("PostTypeId") == QUESTION
    texts = [text for post in posts if (text := plain_text(post.get("Body", "")))]
    licenses = {_license(post) for post in posts}
    license = " AND ".join(sorted(licenses))
    metadata = {
        "post_type": "question" if is_question else "answer",
        "score": row.get("Score", ""),
        "tags": "; ".join(_TAGS.findall(row.get("Tags", ""))),
        "parent_id": row.get("ParentId", ""),
        "accepted_answer_id": row.get("AcceptedAnswerId", ""),
        "answers": str(len(posts) - 1) if len(posts) > 1 else "",
        "site": site or "",
        "author": row.get("OwnerUserId", ""),
    }
    return Record(
        native=native,
        text="\n\n".join(texts) or None,
        source_id=id,
        title=" ".join(row.get("Title", "").split()) or None,
        url=f"https://{site}/{'questions' if is_question else 'a'}/{id}" if site else None,
        license=license,
        license_source="stackexchange:ContentLicense" if "ContentLicense" in row else "stackexchange:CreationDate",
        published_at=_moment(row),
        metadata=metadata,
        offset=offset,
    )


def _license(row: dict[str, str]) -> str:
    if stated := spdx(row.get("ContentLicense", "")):
        return stated
    moment = _moment(row)
    day = moment.date() if moment else date.max
    return next(license for first, license in _LICENSES if day >= first)


def _moment(row: dict[str, str]) -> datetime | None:
    try:
        return datetime.fromisoformat(row.get("CreationDate", "")).replace(tzinfo=UTC)
    except ValueError:
        return None


def _threads(rows: Iterator[Any], site: str | None, counts: Counter[str]) -> Iterator[Record | Broken]:
    """Join questions and answers, which can be far apart, in parts that fit into memory.

    A first pass writes each post to a temporary file by the id of its question, so that a thread is in one file.
    """
    with tempfile.TemporaryDirectory(prefix="corpusmill-threads-") as folder:
        buckets = Buckets(Path(folder))
        for element in rows:
            try:
                row = _attributes(element.data)
            except DataError as error:
                native = element.data or str(element.offset).encode()
                yield Broken(native, error.kind, error.message, offset=element.offset)
                continue
            kind = row.get("PostTypeId")
            thread = row["Id"] if kind == QUESTION else row.get("ParentId", "") if kind == ANSWER else ""
            if row.get("DeletionDate"):
                counts["posts.deleted"] += 1
            elif _ID.fullmatch(thread):
                buckets.add(Member(int(row["Id"]), int(thread), element.data, element.offset))
            else:
                counts[f"posts.type_{kind if kind and kind.isdecimal() else 'unknown'}"] += 1
        for posts in buckets:
            yield from _joined(posts, site, counts)


def _joined(posts: list[Member], site: str | None, counts: Counter[str]) -> Iterator[Record | Broken]:
    threads: dict[int, list[Member]] = {}
    for post in posts:
        threads.setdefault(post.group, []).append(post)
    for thread in sorted(threads):
        members = [(post, _attributes(post.native)) for post in threads[thread]]
        question = next((pair for pair in members if pair[1].get("PostTypeId") == QUESTION), None)
        if question is None:
            counts["answers_without_question"] += len(members)
            continue
        accepted = question[1].get("AcceptedAnswerId")
        answers = sorted(
            (pair for pair in members if pair is not question),
            key=lambda pair: (pair[1]["Id"] != accepted, -_score(pair[1]), pair[0].id),
        )
        whole = [question, *answers]
        native = b"\n".join(post.native for post, _ in whole)
        yield _record(question[1], [row for _, row in whole], native, question[0].offset, site)


def _score(row: dict[str, str]) -> int:
    score = row.get("Score", "")
    return int(score) if re.fullmatch(r"-?\d{1,9}", score) else 0
