"""The demo's site is real documentation, the same each time, and without traces of the machine."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from corpusmill.schemas.errors import UnfinishedError
from recipes.pydoc_pages import PRIVATE_PAGE, masked
from recipes.pydoc_site import main, make_site, serve


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site") / "pydoc"
    make_site(directory)
    return directory


def test_the_site_documents_the_standard_library(site: Path) -> None:
    """Some 200 modules and megabytes of HTML, with a page that robots.txt forbids and the index links to."""
    pages = list(site.glob("*.html"))

    assert len(pages) > 150
    assert sum(page.stat().st_size for page in pages) > 5_000_000
    assert f'href="{PRIVATE_PAGE}"' in (site / "index.html").read_text()
    assert (site / PRIVATE_PAGE).exists()
    assert "Disallow: /private/" in (site / "robots.txt").read_text()


def test_two_makings_are_equal_byte_for_byte(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another folder, home and environment change nothing; otherwise each crawl would give another version."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.chdir(tmp_path)
    make_site(tmp_path / "deeper" / "site")

    one, other = (
        {page.name: page.read_bytes() for page in root.glob("*.html")} for root in (site, Path("deeper/site"))
    )

    assert one == other
    text = b"".join(one.values()).decode()
    own = [prefix for prefix in (sys.prefix, sys.base_prefix) if prefix.count("/") > 2]
    for trace in (*own, str(tmp_path), str(site), 'href="file:', " at 0x7", "&nbsp;0x7"):
        assert trace not in text


def test_a_site_that_is_there_is_kept(site: Path) -> None:
    """Making it takes seconds; the stamp says whether it still fits."""
    before = (site / "os.html").stat().st_mtime_ns

    count = make_site(site)

    assert (site / "os.html").stat().st_mtime_ns == before
    assert count == len(list(site.glob("*.html"))) - 1


def test_addresses_are_masked_in_text_and_in_markup() -> None:
    """pydoc writes a blank as an entity in signatures."""
    assert masked("<f at 0x7f3c> object&nbsp;at&nbsp;0x7F3C, 0x10") == "<f at 0x0> object&nbsp;at&nbsp;0x0, 0x10"


def test_the_site_is_served_while_a_command_runs(site: Path, tmp_path: Path) -> None:
    """The demo's crawl runs inside, and its exit code is the demo's."""
    script = "import sys, urllib.request as r; sys.exit(7 if b'argparse' in r.urlopen(sys.argv[1]).read() else 1)"
    with serve(site) as url:
        port = int(url.rsplit(":", 1)[1].strip("/"))
        assert urllib.request.urlopen(url + "os.html").status == 200

    code = main([str(site), "--serve", str(port), "--", sys.executable, "-c", script, url])

    assert code == 7


def test_a_taken_port_is_told(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The port is part of the ids, so another one is no way out."""
    with serve(site) as url:
        port = url.rsplit(":", 1)[1].strip("/")
        with pytest.raises(UnfinishedError, match=port), serve(site, int(port)):
            pytest.fail("two servers on one port")

        assert main([str(site), "--serve", port, "--", "true"]) == 5

    assert f"port {port} of 127.0.0.1 is in use" in capsys.readouterr().err


def test_the_module_runs_as_a_command(tmp_path: Path) -> None:
    """A wrong call is told before anything is made."""
    done = subprocess.run(
        [sys.executable, "recipes/pydoc_site.py", str(tmp_path / "site"), "--serve", "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )

    assert done.returncode == 2
    assert "must be used together" in done.stderr
