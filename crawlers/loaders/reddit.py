"""Submissions and comments of Reddit: JSON Lines in the form of Pushshift."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, ClassVar, Final, Literal

from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.authors import Authored
from corpusmill.crawlers.loaders.buckets import Buckets, Member
from corpusmill.crawlers.loaders.json_values import JsonText
from corpusmill.crawlers.loaders.jsonl import JsonLines, lines_of
from corpusmill.crawlers.loaders.reddit_posts import Post, post_of
from corpusmill.crawlers.loaders.reddit_threads import in_tree_order
from corpusmill.crawlers.loaders.streamed import Broken, Record
from corpusmill.crawlers.loaders.streams import packed
from corpusmill.crawlers.readers.reddit import absence, line_text, post_text
from corpusmill.schemas.errors import DataError

_LINES: Final = JsonLines(text_field="{body}{title}{selftext}{kind}")
_FIELDS: Final = re.compile(rb'"(?:body|selftext|title)"\s*:')
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Reddit(Authored):
    """Submissions and comments, each a document, or the submissions with their trees of comments.

    Posts that are deleted, removed or empty, and links without text are counted. Names of users are not read.
    """

    suffixes: ClassVar[tuple[str, ...]] = (*packed(".jsonl", ".ndjson", ".json"), ".zst")
    depends: ClassVar[tuple[str, ...]] = ("markdown-it-py",)
    about: ClassVar[About] = About(
        license="none stated: authors keep their rights, and the terms of Reddit restrict use",
        get="monthly files of submissions (RS) and comments (RC), or files by subreddit, from archives for research",
        tried="made files in the form of Pushshift, also zstd with a window of 2 GiB; no real dump was at hand",
    )

    documents: Literal["posts", "threads"] = Field(
        default="posts",
        description="What a document is: a submission or a comment; or a submission with the comments on it that are "
        "in the same file, answers after what they answer, by score.",
    )
    keep: tuple[Literal["quotes", "links"], ...] = Field(
        default=(),
        description="Optional parts: quoted paragraphs; submissions that are only a link and a title.",
        examples=[["quotes"]],
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* has posts of Reddit."""
        line = head.partition(b"\n")[0]
        return line.startswith(b"{") and b'"subreddit' in line and _FIELDS.search(line) is not None

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return the slices of JSON Lines; for threads, the whole file."""
        return [(0, -1)] if self.documents == "threads" else _LINES.slices(path)

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the posts or threads of *stream*, which is at the beginning of a line, at byte *start*."""
        yield from self._read(lines_of(stream, start, end), counts)

    def records_in(
        self, path: str, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the posts or threads of a slice, also of a compressed file.

        Raises:
            DataError: The rest of the slice cannot be read.
        """
        yield from self._read(_LINES.texts(path, start=start, end=end), counts)

    def _read(self, texts: Iterator[JsonText], counts: Counter[str]) -> Iterator[Record | Broken]:
        if self.documents == "threads":
            yield from self._threads(texts, counts)
            return
        for text in texts:
            try:
                post = _parsed(text)
                if self._is_document(post, counts):
                    yield self._record(post, [self._text(post)], text.data or b"", text.offset)
            except DataError as error:
                yield _broken(text, error)

    def _is_document(self, post: Post, counts: Counter[str]) -> bool:
        reason = post.absence(keeps_links="links" in self.keep)
        if reason is not None:
            counts[f"{post.plural}.{reason}"] += 1
        return reason is None

    def _text(self, post: Post) -> str:
        """Return what *post* says; empty if nothing is left.

        Raises:
            DataError: ``too_large``, ``too_complex``.
        """
        body = post.value("body" if post.is_comment else "selftext")
        text = "" if absence(body) else post_text(body, keeps_quotes="quotes" in self.keep)
        title = "" if post.is_comment or absence(post.value("title")) else line_text(post.value("title"))
        return "\n\n".join(part for part in (title, text) if part)

    def _record(self, post: Post, texts: list[str], native: bytes, offset: int, *, comments: int = 0) -> Record:
        """Return the document with *texts*, which *post* describes: its own, or a thread with *comments*."""
        author = post.value("author")
        metadata = {
            "kind": "comment" if post.is_comment else "submission",
            "subreddit": "u_[user]" if post.is_of_profile else post.value("subreddit"),
            "score": post.value("score"),
            "parent_id": post.value("parent_id"),
            "link_id": post.value("link_id"),
            "over_18": post.value("over_18"),
            "flair": line_text(post.value("link_flair_text")),
            "author": "" if absence(author) else self.author(author, place="reddit"),
            "comments": str(comments) if comments else "",
        }
        return Record(
            native=native,
            text="\n\n".join(text for text in texts if text) or None,
            source_id=f"t3_{post.thread}/comments" if comments and post.is_comment else post.full_id or None,
            title=line_text(post.value("title")) or None,
            url=post.url,
            published_at=post.created,
            fetched_at=post.state,
            metadata=metadata,
            offset=offset,
        )

    def _threads(self, texts: Iterator[JsonText], counts: Counter[str]) -> Iterator[Record | Broken]:
        """Join submissions and comments, which can be far apart, in parts that fit into memory."""
        with tempfile.TemporaryDirectory(prefix="corpusmill-threads-") as folder:
            buckets = Buckets(Path(folder))
            for text in texts:
                try:
                    buckets.add(_member(text))
                except DataError as error:
                    yield _broken(text, error)
            for members in buckets:
                threads: dict[int, list[Member]] = {}
                for member in members:
                    threads.setdefault(member.group, []).append(member)
                for group in sorted(threads):
                    yield from self._thread(threads[group], counts)

    def _thread(self, members: list[Member], counts: Counter[str]) -> Iterator[Record | Broken]:
        """Yield the document of a thread; before it, the posts in it that cannot be read."""
        latest: dict[str, tuple[Post, Member]] = {}
        for post, member in sorted(((_again(member), member) for member in members), key=_age):
            if post.full_id in latest:
                counts[f"{post.plural}.repeated"] += 1
            latest[post.full_id] = post, member
        submission = next((post for post, _ in latest.values() if not post.is_comment), None)
        texts: dict[str, str] = {}
        for post in in_tree_order([post for post, _ in latest.values() if post.is_comment]):
            try:
                if self._is_document(post, counts):
                    texts[post.full_id] = self._text(post)
            except DataError as error:
                member = latest[post.full_id][1]
                yield Broken(member.native, error.kind, error.message, source_id=post.full_id, offset=member.offset)
        comments = len(texts)
        if submission is not None and (comments or self._is_document(submission, counts)):
            try:
                texts = {submission.full_id: self._text(submission)} | texts
            except DataError as error:
                member = latest[submission.full_id][1]
                yield Broken(member.native, error.kind, error.message, source_id=submission.full_id)
        if texts:
            members = [latest[id][1] for id in texts]
            first = latest[next(iter(texts))][0]
            native = b"\n".join(member.native for member in members)
            yield self._record(first, list(texts.values()), native, members[0].offset, comments=comments)


def _parsed(text: JsonText) -> Post:
    """Parse the record *text*.

    Raises:
        DataError: It is not JSON, or no post.
    """
    row = _LINES.row_of(text)
    if row.value is None:
        raise DataError(row.message or "", kind=(row.rule or "").removeprefix("error."))
    return post_of(row.value)


def _member(text: JsonText) -> Member:
    post = _parsed(text)
    if not post.id or not post.thread:
        raise DataError("a post without `id`, or a comment without `link_id`", kind="wrong_format")
    return Member(int(post.id, 36), int(post.thread, 36), text.data or b"", text.offset)


def _again(member: Member) -> Post:
    return _parsed(JsonText(member.offset, len(member.native), member.native))


def _age(pair: tuple[Post, Member]) -> tuple[datetime, int]:
    return pair[0].state or _NEVER, pair[1].offset


def _broken(text: JsonText, error: DataError) -> Broken:
    native = text.data if text.data is not None else (text.digest or str(text.offset)).encode()
    return Broken(native, error.kind, error.message, offset=text.offset)
