"""Registered domains, computed once per host."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest
import tldextract
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.domains import Domains

HOSTS = st.builds(
    "{}{}".format,
    st.sampled_from(["", "www.", "a.b.", "WWW.", "-.", "xn--r8jz45g."]),
    st.sampled_from(
        ["example.co.uk", "example.org", "Example.COM", "a.city.kawasaki.jp", "c.x.kobe.jp", "例え.jp", "例え.公司.cn"]
    ),
)
URLS = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["", "user:secret@"]),
    HOSTS,
    st.sampled_from(["", ":8080", "."]),
    st.sampled_from(["", "/", "/x?y=http://other.org/#z", "?q", "#f", "/パス"]),
)
PEER = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


@given(urls=st.lists(URLS, max_size=8))
def test_a_domain_is_the_one_that_another_reader_of_the_list_finds(urls: list[str]) -> None:
    """The list has wildcard rules and exceptions; two libraries must agree on it."""
    expected = [PEER.extract_str(url).top_domain_under_public_suffix.lower() for url in urls]

    assert Domains().of(pa.array(urls, pa.string())).to_pylist() == expected


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://[2001:db8::1]:443/a", "[2001:db8::1]"),
        ("http://192.0.2.1:80/", "192.0.2.1"),
        ("https://localhost", "localhost"),
        ("https://co.uk/", "co.uk"),
        ("https://wiki.server.internal/", "server.internal"),
        ("https://a.blogspot.com/", "blogspot.com"),
        ("https://www。example．org/", "example.org"),
        ("example.org/page", "example.org"),
        ("notes/a.md", "notes"),
        ("https://a..b/", "a..b"),
        ("https://", None),
        ("", None),
    ],
)
def test_hosts_without_a_registered_domain(url: str, domain: str | None) -> None:
    """Addresses, bare hosts and suffixes stand for themselves; an unlisted suffix counts as one label."""
    assert Domains().of(pa.array([url, None], pa.string())).to_pylist() == [domain, None]


def test_no_http_client_is_imported_for_a_list() -> None:
    """Other parsers of the list import one, which costs each worker as much as 200 documents."""
    code = (
        "import sys, pyarrow as pa; from corpusmill.pipelines.stages.domains import Domains\n"
        "assert Domains().of(pa.array(['https://a.example.org/'])).to_pylist() == ['example.org']\n"
        "print({'requests', 'urllib3', 'http.client'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"
