"""A crawl connects to public addresses only, whatever a name resolves to and a redirect leads to."""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path

import pytest

from corpusmill.crawlers.client import Client
from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.frontier.addresses import is_permitted, is_public
from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import SourceError
from tests.crawlers.raw_servers import page, response, sending, serve_raw
from tests.crawlers.sites import CONTACT, QUICK, Answer, ledger, pages, serve, source_of
from tests.crawlers.sites import page as web_page

PRIVATE_RANGES = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
    ::/128 ::1/128 ::/96 ::ffff:10.0.0.0/104 ::ffff:127.0.0.0/104 ::ffff:192.168.0.0/112 ::ffff:169.254.0.0/112
    64:ff9b::10.0.0.0/104 64:ff9b::7f00:0/104 64:ff9b::a9fe:0/112 64:ff9b:1::/48 100::/64
    2001::/32 2001:2::/48 2001:10::/28 2001:20::/28 2001:db8::/32 3fff::/20 5f00::/16
    2002:a00::/24 2002:7f00::/24 2002:c0a8::/32 2002:a9fe::/32 fc00::/7 fe80::/10 fec0::/10 ff00::/8 4000::/2
""".split()
"""Ranges that no crawl of public sites reaches, from the IANA registries of special-purpose addresses."""

PUBLIC = """
    1.1.1.1 9.9.9.9 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0
    172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
    2000:: 2001:200:: 2001:db7::1 2001:db9:: 2606:4700::1111 2a00:1450:4001:800::200e 3ffe:: 3fff:1000::
    ::ffff:9.9.9.9 64:ff9b::9.9.9.9 2002:909:909::1
""".split()


@pytest.mark.parametrize("network", PRIVATE_RANGES)
def test_no_address_of_a_private_range_is_public(network: str) -> None:
    """Both ends of each range count, also with a zone."""
    place = ipaddress.ip_network(network)

    assert not is_public(str(place[0]))
    assert not is_public(str(place[-1]))
    assert place.version == 4 or not is_public(f"{place[1] if place.num_addresses > 1 else place[0]}%eth0")


@pytest.mark.parametrize("address", PUBLIC)
def test_the_neighbors_of_private_ranges_are_public(address: str) -> None:
    """A range that is too large would hide sites."""
    assert is_public(address)


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("10.0.0.1", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("fd00::1", True),
        ("9.9.9.9", True),
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("fe80::1%eth0", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("ff02::1", False),
    ],
)
def test_allow_private_does_not_permit_the_metadata_services_of_clouds(address: str, is_allowed: bool) -> None:
    """They give away the keys of the machine, and have link-local addresses."""
    assert is_permitted(address, allow_private=True) is is_allowed
    assert is_permitted(address, allow_private=False) is (address == "9.9.9.9")


class Resolver:
    """A resolver whose answers for a name change from lookup to lookup."""

    def __init__(self, *answers: list[str]) -> None:
        self.left = list(answers)

    async def __call__(self, host: str, port: int) -> list[str]:
        return self.left.pop(0)


def _get(port: int, resolver: Resolver, *paths: str) -> list[str]:
    """Return the result of each request: a status, or the rule of its refusal. Only 127.0.0.2 counts as public."""

    async def get(client: Client, path: str) -> str:
        try:
            return str((await client.get(f"http://name.test:{port}{path}")).status)
        except Refusal as refusal:
            return refusal.rule

    async def run() -> list[str]:
        client = Client(
            user_agent="test",
            allow_private=False,
            timeout_s=5,
            max_bytes=1000,
            permits="127.0.0.2".__eq__,
            lookup=resolver,
        )
        results = [await get(client, path) for path in paths]
        await client.close()
        return results

    return asyncio.run(run())


def test_a_name_that_turns_private_is_refused_before_a_connection() -> None:
    """DNS rebinding: the second lookup of a hostile name leads into the user's network."""
    answers = {"/page": sending(response("ok", Connection="close"))}
    with serve_raw({"127.0.0.2": answers, "127.0.0.3": answers}) as server:
        resolver = Resolver(["127.0.0.2"], ["127.0.0.3"], ["127.0.0.3", "127.0.0.2"])
        results = _get(server.port, resolver, "/page", "/page", "/page")

    assert results == ["200", "address.private", "200"]
    assert server.connections == ["127.0.0.2", "127.0.0.2"]
    assert not resolver.left


def test_the_address_that_was_checked_is_the_one_that_is_connected_to() -> None:
    """One lookup for each connection leaves no time in which the answer can change."""
    answers = {"/page": sending(response("ok"))}
    with serve_raw({"127.0.0.2": answers, "127.0.0.3": answers}) as server:
        results = _get(server.port, Resolver(["127.0.0.2"]), "/page", "/page")

    assert results == ["200", "200"]
    assert server.connections == ["127.0.0.2"]


def test_a_redirect_to_a_forbidden_address_is_refused_before_a_connection(tmp_path: Path) -> None:
    """The address 0.0.0.0 is forbidden also with `allow_private`, and a connection to it would reach the site's server.

    The hosts that the site redirects to are in scope, so that only the address decides.
    """
    with serve({"/secret": web_page()}) as site:
        port = site.url.rpartition(":")[2]
        forbidden = [f"http://{host}:{port}/secret" for host in ("0.0.0.0", "[::ffff:0:0]")]
        targets = {
            "/any": forbidden[0],
            "/mapped": forbidden[1],
            "/number": f"http://0:{port}/secret?number",
            "/file": "file:///etc/hostname",
            "/script": "javascript:alert(1)",
        }
        site.answers["/"] = web_page(*targets)
        for path, target in targets.items():
            site.answers[path] = Answer(status=302, headers={"Location": target})
        source = source_of(site, start_urls=(f"{site.url}/", *forbidden))
        manifest = crawl(source, tmp_path / "raw" / "site", limits=QUICK)

    assert not [path for path in site.paths if path.startswith("/secret")]
    assert pages(tmp_path / "raw" / "site") == ["/"]
    assert manifest.counts["redirects"] == 3
    assert ledger(tmp_path / "raw" / "site", manifest) == {
        "/file": "error.bad_redirect",
        "/script": "error.bad_redirect",
        **dict.fromkeys((*forbidden, f"http://0.0.0.0:{port}/secret?number"), "address.private"),
    }


def test_loopback_is_refused_without_allow_private_and_not_connected_to(tmp_path: Path) -> None:
    """The log of the server is the truth, robots.txt included."""
    with serve_raw({"127.0.0.2": {"/": sending(page())}}) as server:
        starts = (f"http://127.0.0.2:{server.port}/", f"http://2130706434:{server.port}/")
        source = CrawlSource(name="site", contact=CONTACT, start_urls=starts)
        with pytest.raises(SourceError, match=r"address\.private"):
            crawl(source, tmp_path / "raw" / "site", limits=QUICK)

    assert server.connections == []
