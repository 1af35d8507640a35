"""The comments of a thread of Reddit in the order of reading."""

from __future__ import annotations

from collections.abc import Sequence

from corpusmill.crawlers.loaders.reddit_posts import Post, bare


def in_tree_order(comments: Sequence[Post]) -> list[Post]:
    """Return *comments* with each answer after its parent; siblings by score, then by id.

    A comment whose parent is not among them counts as an answer to the submission. Comments that are, against all
    rules, their own ancestors come last, by id.
    """
    children: dict[str, list[Post]] = {}
    known = {comment.id for comment in comments}
    for comment in sorted(comments, key=_rank):
        parent = _parent(comment)
        children.setdefault(parent if parent in known else "", []).append(comment)
    ordered: list[Post] = []
    pending = children.pop("", [])[::-1]
    while pending:
        ordered.append(pending.pop())
        pending += children.pop(ordered[-1].id, [])[::-1]
    rest = (comment for siblings in children.values() for comment in siblings)
    return ordered + sorted(rest, key=lambda comment: int(comment.id, 36))


def _parent(comment: Post) -> str:
    """Return the id of the comment that *comment* answers; empty if it answers the submission."""
    parent = comment.value("parent_id")
    return "" if parent.startswith("t3_") else bare(parent)


def _rank(comment: Post) -> tuple[int, int]:
    return -comment.score, int(comment.id, 36)
