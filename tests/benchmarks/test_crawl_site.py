"""The measurements of a crawl read the log of a real nginx, and compare what they claim to compare."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from benchmarks.crawl_site import cost, recrawled, server

pytestmark = pytest.mark.skipif(
    shutil.which("nginx", path="/usr/sbin") is None or not server.PAGES.is_dir(),
    reason="needs nginx and postgresql-doc-15 (apt-get install nginx postgresql-doc-15)",
)


def test_the_log_says_which_requests_were_conditional(tmp_path: Path) -> None:
    with server.nginx(tmp_path) as site:
        first = urlopen(site.url)
        with pytest.raises(OSError, match="304"):
            urlopen(Request(site.url, headers={"If-None-Match": first.headers["ETag"]}))
        with pytest.raises(OSError, match="404"):
            urlopen(site.url.replace("index", "missing"))

    requests = site.page_requests()  # a server that has ended has written all of its log
    assert [(one.path, one.status, one.is_conditional) for one in requests] == [
        ("/index.html", 200, False),
        ("/index.html", 304, True),
        ("/missing.html", 404, False),
    ]


def test_a_change_of_the_site_is_what_the_measurement_expects(tmp_path: Path) -> None:
    shutil.copytree(server.PAGES, tmp_path / "html")
    site = server.Nginx(tmp_path, port=0)
    before = {path: (site.html / path[1:]).read_text() for path in site.pages}

    expected = recrawled.change(site)

    after = {path: (site.html / path[1:]).read_text() for path in site.pages}
    assert expected == {
        "added": after.keys() - before.keys(),
        "removed": before.keys() - after.keys(),
        "changed": {path for path in before.keys() & after.keys() if before[path] != after[path]},
    }
    assert {kind: len(paths) for kind, paths in expected.items()} == {"added": 5, "removed": 3, "changed": 10}


def test_the_ratio_is_that_of_all_rounds() -> None:
    rows = [{"tool": tool, "CPU s": seconds} for tool, seconds in [("corpusmill", 2), ("scrapy", 3), ("corpusmill", 4)]]

    assert cost.ratio(rows) == 2.0
