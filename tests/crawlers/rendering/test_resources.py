"""The requests of scripts are answered through the client of the crawl, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from corpusmill.crawlers.client import Client
from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.crawlers.rendering.resources import Requests, Resources
from tests.crawlers.sites import Answer, Site, serve

TEXT = {"Content-Type": "text/plain"}


def answered(
    answers: dict[str, Answer],
    test: Callable[[Resources, Site], Awaitable[None]],
    *,
    allow_private: bool = True,
    cached_bytes: int = 10**6,
) -> None:
    async def run() -> None:
        client = Client(user_agent="corpusmill", allow_private=allow_private, timeout_s=2.0, max_bytes=10_000)
        resources = Resources(client.get, max_bytes=10_000, cached_bytes=cached_bytes)
        try:
            with serve(answers) as site:
                await test(resources, site)
        finally:
            await resources.close()
            await client.close()

    asyncio.run(run())


def test_a_url_is_requested_once_also_when_it_is_wanted_at_the_same_time() -> None:
    """Fragments make no other URL."""

    async def test(resources: Resources, site: Site) -> None:
        together = await asyncio.gather(*(resources.get(f"{site.url}/a#{n}") for n in range(3)))
        later = await resources.get(f"{site.url}/a")

        assert [answer.body for answer in (*together, later)] == [b"a"] * 4
        assert site.paths == ["/a"]

    answered({"/a": Answer("a", headers=TEXT, hold_s=0.05)}, test)


def test_the_memory_of_responses_is_bounded_and_the_least_used_is_forgotten() -> None:
    """A crawl has more scripts than fit in memory."""

    async def test(resources: Resources, site: Site) -> None:
        for path in ("/a", "/b", "/a", "/c", "/a", "/b"):
            await resources.get(site.url + path)

        assert site.paths == ["/a", "/b", "/c", "/b"]

    answered({f"/{name}": Answer("x" * 1000, headers=TEXT) for name in "abc"}, test, cached_bytes=5_000)


def test_redirects_are_followed_and_end() -> None:
    """The browser would follow them without the crawl."""

    async def test(resources: Resources, site: Site) -> None:
        assert (await resources.get(f"{site.url}/moved")).body == b"there"
        assert (await resources.get(f"{site.url}/missing")).status == 404
        for path, rule in (("/loop", "redirect_loop"), ("/file", "bad_redirect"), ("/large", "too_large")):
            with pytest.raises(Refusal) as caught:
                await resources.get(site.url + path)
            assert caught.value.rule == f"error.{rule}"
        with pytest.raises(Refusal, match=r"render\.blocked"):
            await resources.get("file:///etc/hostname")

    def moved(target: str) -> Answer:
        return Answer(status=302, headers={"Location": target})

    answers = {
        "/moved": moved("/there"),
        "/there": Answer("there", headers=TEXT),
        "/loop": moved("/loop"),
        "/file": moved("file:///etc/hostname"),
        "/large": Answer("x" * 20_000, headers=TEXT),
    }
    answered(answers, test)


def test_a_private_address_is_refused_without_a_request() -> None:
    """Also the second time, when it is remembered."""

    async def test(resources: Resources, site: Site) -> None:
        for _ in range(2):
            with pytest.raises(Refusal, match=r"address\.private"):
                await resources.get(f"{site.url}/a")

        assert site.seen == []

    answered({}, test, allow_private=False)


def test_headers_that_would_make_the_browser_act_later_are_removed() -> None:
    """Cookies, reports and codings are no business of the browser."""
    headers = {**TEXT, "Set-Cookie": "a=b", "NEL": "{}", "Refresh": "1; url=/x", "Access-Control-Allow-Origin": "*"}

    async def test(resources: Resources, site: Site) -> None:
        answer = await resources.get(f"{site.url}/a")

        assert set(answer.headers) - {"server", "date"} == {"content-type", "access-control-allow-origin"}

    answered({"/a": Answer("a", headers=headers)}, test)


def test_requests_of_a_page_are_limited_by_kind_method_and_number() -> None:
    """What is not answered is not requested. Refusals are kept; images and the like are not worth a record."""

    async def test(resources: Resources, site: Site) -> None:
        requests = Requests(resources)
        image = await requests.answer(f"{site.url}/a", kind="image", method="GET")
        posted = await requests.answer(f"{site.url}/a", kind="fetch", method="POST")
        script = await requests.answer(f"{site.url}/a", kind="script", method="GET")
        many = [await requests.answer(f"{site.url}/a?{n}", kind="xhr", method="GET") for n in range(101)]

        assert image is posted is many[99] is many[100] is None
        assert script is not None
        assert requests.pending == 0
        assert {url.removeprefix(site.url) for url in requests.refused} == {"/a", "/a?99", "/a?100"}
        assert {refusal.rule for refusal in requests.refused.values()} == {"render.blocked"}
        assert len(site.paths) == 100

    answered({"/a": Answer("a", headers=TEXT)}, test)
