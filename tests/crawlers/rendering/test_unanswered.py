"""The counts of requests that are not answered are those of the pages in the archive, also after a power cut."""

from __future__ import annotations

from pathlib import Path

from corpusmill.crawlers.frontier.entries import Link, Settled, State
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.rendering.unanswered import Unanswered


def _settle(frontier: Frontier, requests: dict[str, int], *, end: int) -> None:
    entry = frontier.take()
    assert entry is not None
    frontier.settle(entry, Settled(State.PAGE, unanswered=requests), file=0, end=end)


def test_pages_that_the_archive_lost_are_counted_once(tmp_path: Path) -> None:
    """They are rendered again, perhaps with another result."""
    unanswered = Unanswered()
    frontier = Frontier(tmp_path / "queue.db", companions=(unanswered,))
    frontier.seed(Link(url, url, depth=0) for url in ("https://a.example/", "https://b.example/"))
    _settle(frontier, {"image": 2}, end=10)
    _settle(frontier, {"image": 5, "frame": 1}, end=20)
    before = unanswered.counts()

    frontier.requeue(file=0, after=10)
    lost = unanswered.counts()
    _settle(frontier, {"image": 1}, end=15)

    assert before == {"unanswered.frame": 1, "unanswered.image": 7}
    assert lost == {"unanswered.image": 2}
    assert unanswered.counts() == {"unanswered.image": 3}
    frontier.close()
