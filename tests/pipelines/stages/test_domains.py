"""Registered domains, found once per host."""

from __future__ import annotations

import pyarrow as pa
import tldextract
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.domains import Domains

URLS = st.lists(
    st.none()
    | st.sampled_from(
        [
            "https://a.b.example.co.uk/x?y=http://other.org/#z",
            "http://user:secret@example.org:8080?q",
            "https://[2001:db8::1]:443/a",
            "http://192.0.2.1/",
            "https://localhost",
            "notes/a.md",
            "https://",
            "https://例え.jp/パス",
            "",
        ]
    )
    | st.builds(
        "{}://{}{}".format, st.sampled_from(["http", "https"]), st.text("abc.-", max_size=9), st.text(max_size=9)
    ),
    max_size=8,
)
PLAIN = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def plain(url: str | None) -> str | None:
    if url is None:
        return None
    found = PLAIN.extract_str(url)
    return found.top_domain_under_public_suffix or found.domain or None


@given(urls=URLS)
def test_the_domain_of_a_host_is_that_of_its_addresses(urls: list[str | None]) -> None:
    """Looking at hosts alone is a matter of speed: a corpus has far fewer of them than addresses."""
    assert Domains().of(pa.array(urls, pa.string())).to_pylist() == [plain(url) for url in urls]
