"""Pages changed on purpose, so that the model meets what its sources have little of.

- *comments*: a thread of readers' comments, as blog software of several kinds writes it, after the article. The gold pages
  with a plain licence come from years in which scripts fetched them.
- *plain*: semantic elements become `<div>`, as on pages from before HTML5.
- *nameless*: elements without class and id, as generated and old pages have them.

The gold text stays: what is added is not main text, and nothing of the main text is taken away.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_SEMANTIC: Final = re.compile(rb"<(/?)(?:article|main|section|header|footer|nav|aside|figure|figcaption)(?=[\s>/])", re.I)
_NAMES: Final = re.compile(rb"""\s(?:class|id|role|itemprop)\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+)""", re.I)
_PLACES: Final = (b"</article>", b"</main>", b"<footer", b"</body>")


@dataclass(frozen=True)
class Thread:
    """How a piece of software writes a thread: around it, each comment, and what it says of the writer."""

    before: str
    comment: str
    after: str


_THREADS: Final = (
    Thread(
        '<h3 id="comments">{count} Responses to “{title}”</h3><ol class="commentlist">',
        '<li class="{odd} thread-{odd}" id="comment-{n}"><cite><a href="#" rel="external nofollow">{name}</a></cite> Says:<br/>'
        '<small class="commentmetadata"><a href="#comment-{n}">{date} at {time}</a></small>{paragraphs}</li>',
        '</ol><h3 id="respond">Leave a Reply</h3><form><p><label>Name (required)</label></p><p><label>Mail (will not be '
        "published)</label></p></form>",
    ),
    Thread(
        '<div id="comments" class="comments-area"><h2 class="comments-title">{count} thoughts on “{title}”</h2>'
        '<ol class="comment-list">',
        '<li class="comment depth-1"><article class="comment-body"><footer class="comment-meta"><div class="comment-author '
        'vcard"><b class="fn">{name}</b> <span class="says">says:</span></div><div class="comment-metadata"><a href="#">'
        '<time>{date} at {time}</time></a></div></footer><div class="comment-content">{paragraphs}</div><div class="reply">'
        '<a href="#">Reply</a></div></article></li>',
        "</ol></div>",
    ),
    Thread(
        '<div id="comments"><h4>{count} comments:</h4><dl id="comments-block">',
        '<dt class="comment-author" id="c{n}"><a href="#">{name}</a> said...</dt><dd class="comment-body">{paragraphs}</dd>'
        '<dd class="comment-footer"><span class="comment-timestamp"><a href="#">{date} {time}</a></span></dd>',
        '</dl><p class="comment-footer"><a href="#">Post a Comment</a></p></div>',
    ),
    Thread(
        '<div class="comments"><h2 class="comments-header">Comments</h2>',
        '<div class="comment" id="comment-{n}"><div class="comment-content">{paragraphs}</div><p class="comment-footer">'
        "Posted by: {name} | {date} at {time}</p></div>",
        '<div class="comments-open"><h2>Post a comment</h2></div></div>',
    ),
    Thread(
        '<a name="comments"></a><table width="100%" cellpadding="4"><tr><td><b>Reader comments ({count})</b></td></tr>',
        '<tr><td bgcolor="#eeeeee"><b>{name}</b> wrote on {date}, {time}:</td></tr><tr><td>{lines}</td></tr>',
        "</table>",
    ),
    Thread(
        '<div class="user-discussion"><h3>Discussion</h3><ul class="posts">',
        '<li class="post"><div class="author"><a href="#">{name}</a></div><span class="when">{date}</span>'
        '<div class="message">{paragraphs}</div><a href="#">Reply</a> <a href="#">Report</a> <span>{n}</span></li>',
        "</ul></div>",
    ),
    Thread(
        "<hr><h3>What readers say</h3>",
        "<div><p>{lines}</p><p><i>{name}, {date}</i></p></div>",
        "<p><a href=#>Write a comment</a></p>",
    ),
)
_NAMES_OF_READERS: Final = (
    "Jo", "anna_b", "Peter K.", "mike72", "Sceptic", "Maria Lopes", "T. Okafor", "lurker", "Дмитрий", "Ελένη", "小林",
    "Kasia", "Old hand", "Dr. Weiss", "nightowl", "Anonymous", "grandpa joe", "Iris", "R2", "Éloïse",
)  # fmt: skip
_MONTHS: Final = ("January", "March", "April", "June", "August", "October", "November", "December")


def changed(markup: bytes, kind: str, texts: Sequence[str], seed: int) -> bytes:
    """Give *markup* changed as *kind* says: parts of `comments`, `plain`, `nameless` joined by `+`.

    Args:
        texts: Paragraphs of other pages, which readers are made to say.
    """
    dice = random.Random(seed)
    if "comments" in kind:
        markup = _with_comments(markup, dice, texts)
    if "plain" in kind:
        markup = _SEMANTIC.sub(rb"<\1div", markup)
    if "nameless" in kind:
        markup = _NAMES.sub(b"", markup)
    return markup


def _with_comments(markup: bytes, dice: random.Random, texts: Sequence[str]) -> bytes:
    lower = markup.lower()
    places = [place for mark in _PLACES if (place := lower.rfind(mark)) > 0] or [len(markup)]
    place = dice.choice(places)
    return markup[:place] + "".join(_thread(dice, texts)).encode() + markup[place:]


def _thread(dice: random.Random, texts: Sequence[str]) -> Iterator[str]:
    thread = dice.choice(_THREADS)
    count = min(40, 1 + int(dice.expovariate(1 / 8)))
    about = {"count": count, "title": escape(dice.choice(texts)[:40])}
    yield thread.before.format(**about)
    for number in range(count):
        said = [escape(dice.choice(texts)[: dice.choice((80, 200, 500, 1200))]) for _ in range(dice.choice((1, 1, 1, 2, 3)))]
        yield thread.comment.format(
            n=number + 100,
            odd=("odd", "even")[number % 2],
            name=dice.choice(_NAMES_OF_READERS),
            date=f"{dice.choice(_MONTHS)} {dice.randint(1, 28)}, {dice.randint(2004, 2024)}",
            time=f"{dice.randint(1, 12)}:{dice.randint(10, 59)} {dice.choice(('am', 'pm'))}",
            paragraphs="".join(f"<p>{text}</p>" for text in said),
            lines="<br><br>".join(said),
        )
    yield thread.after
