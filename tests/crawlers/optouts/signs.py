"""A site with pages each way for each kind of opt-out.

Those at ``/<kind>/no…`` must not be published, and those with ``/yes`` in their path may.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.crawlers.sites import Answer, page

TEXT: Final = Answer(headers={"Content-Type": "text/plain"})
HTML: Final = {"Content-Type": "text/html; charset=utf-8"}
ROBOTS: Final = """\
User-agent: *
Disallow: /robots/no
Content-Usage: /content_usage/no-robots train-ai=n
Content-Usage: /content_usage/ search=n
Content-Signal: /content_signal/no-robots ai-train=no, search=yes

User-agent: GPTBot
User-agent: CCBot
Disallow: /agents/no
Allow: /agents/no-but-this-may/yes

User-agent: otherbot
Disallow: /agents/yes
"""
TDMREP: Final = """[
    {"location": "/tdm/no-file*", "tdm-reservation": 1, "tdm-policy": "https://example.org/policy.json"},
    {"location": "/tdm/yes-file-overridden", "tdm-reservation": 1},
    {"location": "/tdm/yes-file", "tdm-reservation": 0}
]"""
AI_TXT: Final = "User-Agent: *\nDisallow: /ai_txt/no\nAllow: /ai_txt/no-but-this-may/yes\n"
SITE_FILES: Final = {
    "/robots.txt": replace(TEXT, body=ROBOTS),
    "/.well-known/tdmrep.json": Answer(TDMREP, headers={"Content-Type": "application/json"}),
    "/ai.txt": replace(TEXT, body=AI_TXT),
}
HEADERS: Final[dict[str, dict[str, str]]] = {
    "/noarchive/no-header": {"X-Robots-Tag": "noarchive"},
    "/noarchive/no-cache": {"X-Robots-Tag": "nofollow, nocache"},
    "/noarchive/yes-another-agent": {"X-Robots-Tag": "otherbot: nofollow, noarchive"},
    "/unavailable_after/no": {"X-Robots-Tag": "unavailable_after: Wed, 03 Dec 2014 00:00:00 GMT, max-snippet: 3"},
    "/unavailable_after/yes-later": {"X-Robots-Tag": "unavailable_after: 3 Dec 2999 00:00:00 GMT"},
    "/unavailable_after/yes-no-date": {"X-Robots-Tag": "unavailable_after: the 41st of May"},
    "/noai/no-header": {"X-Robots-Tag": "noai"},
    "/noai/no-repeated": {"X-Robots-Tag": "otherbot: nofollow", "x-robots-tag": "noai"},
    "/noimageai/no": {"X-Robots-Tag": "noimageai"},
    "/noml/no": {"X-Robots-Tag": "noml"},
    "/agents/no-header": {"X-Robots-Tag": "gptbot: noindex"},
    "/agents/yes-header": {"X-Robots-Tag": "googlebot: noindex"},
    "/tdm/no-header": {"tdm-reservation": "1", "tdm-policy": "https://example.org/policy.json"},
    "/tdm/yes-header": {"tdm-reservation": "0"},
    "/tdm/yes-file-overridden": {"tdm-reservation": "0"},
    "/tdm/yes-wrong-value": {"tdm-reservation": "yes!"},
    "/content_usage/no-header": {"Content-Usage": "search=y, train-ai=n;x=1"},
    "/content_usage/no-generative": {"Content-Usage": "train-ai=y, train-genai=n"},
    "/content_usage/yes-header": {"Content-Usage": "bots=n, train-ai=y"},
    "/content_signal/no-header": {"Content-Signal": "ai-train=no"},
    "/content_signal/yes-header": {"Content-Signal": "ai-train=yes, search=no, ai-input=no"},
    "/rsl/no-header": {"Link": '</l.xml>; rel="license"; type="application/rsl+xml", </a>; rel=next'},
    "/rsl/yes-header": {"Link": '<https://creativecommons.org/licenses/by/4.0/>; rel="license"'},
    "/nofollow/yes-header": {"X-Robots-Tag": "nofollow"},
}
HEADS: Final[dict[str, str]] = {
    "/noarchive/no-meta": '<meta name="ROBOTS" content="index, NoArchive">',
    "/noai/no-meta": "<meta content='noimageai,noai' name=robots>",
    "/noai/no-escaped": '<meta name="robots" content="no&#97;i">',
    "/noai/yes-comment": '<!-- <meta name="robots" content="noai"> -->',
    "/noai/yes-script": '<script>\'<meta name="robots" content="noai">\'</script>',
    "/noai/yes-template": '<template><meta name="robots" content="noai"></template>',
    "/noimageai/yes": '<meta name="robots" content="index">',
    "/noml/yes": '<meta name="description" content="noml">',
    "/agents/no-meta": '<meta name="GPTBot" content="noindex">',
    "/agents/yes-meta": '<meta name="googlebot" content="noindex">',
    "/tdm/no-meta": '<meta name="tdm-reservation" content="1">',
    "/tdm/yes-meta": '<meta name="tdm-reservation" content="0">',
    "/rsl/no-link": '<link rel="license" type="application/rsl+xml" href="https://example.org/l.xml">',
    "/rsl/yes-link": '<link rel="license" type="text/html" href="https://example.org/terms">',
    "/nofollow/yes-meta": '<meta name="robots" content="nofollow">',
}
BY_SITE: Final = (
    *("/agents/no", "/agents/no-but-this-may/yes", "/agents/yes", "/agents/yes-no-rule"),
    *("/tdm/no-file", "/tdm/yes-file", "/content_usage/no-robots", "/content_usage/yes", "/content_signal/no-robots"),
    *("/content_signal/yes", "/ai_txt/no", "/ai_txt/no-but-this-may/yes", "/ai_txt/yes"),
)
"""Pages that the files of the site decide about."""
PATHS: Final = tuple(dict.fromkeys((*HEADERS, *HEADS, *BY_SITE)))
FORBIDDEN: Final = {path: path.split("/")[1] for path in PATHS if "/yes" not in path}
"""The kind of opt-out of each page that must not be published, by path."""


def answer(path: str) -> Answer:
    """Return the page at *path*, with a text of its own."""
    shown = page(text=f"The harbour {path} reopened on Tuesday, after the storm.", head=HEADS.get(path, ""))
    return replace(shown, headers={**HTML, **HEADERS.get(path, {})})


def answers() -> dict[str, Answer]:
    """Return the whole site. Its start page links to all pages."""
    return {**SITE_FILES, "/": page(*PATHS, "/robots/no"), **{path: answer(path) for path in (*PATHS, "/robots/no")}}
