"""Write the documentation of the standard library as HTML pages into the working directory.

Run this script as text in a separate interpreter (``python -s -S -P -c``), so that installed or loaded packages do not
appear in the pages, and with a fixed environment, because pydoc prints it. It imports only the standard library.
"""

from __future__ import annotations

import html
import importlib
import os
import pydoc
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

NOT_DOCUMENTED = frozenset(("antigravity", "this", "idlelib", "tkinter", "turtle", "turtledemo"))
"""Modules that open a browser or a window, print on import, or need a display."""

PRIVATE_PAGE = "private/drafts.html"
"""The page that robots.txt forbids."""

ROBOTS = "User-agent: *\nDisallow: /private/\n"

_ADDRESS = re.compile(r"\b(at(?: |&nbsp;)0x|handle(?: |&nbsp;))[0-9A-Fa-f]+")
"""A memory address as ``repr`` prints it, or a library handle as ctypes prints it."""
_FILE_LINK = re.compile(r'<a href="file:[^"]*">(.*?)</a>', re.DOTALL)
_PAGE_LINK = re.compile(r'<a href="([\w.]+)\.html(?:#[^"]*)?"[^>]*>(.*?)</a>', re.DOTALL)


def modules() -> Iterator[tuple[str, ModuleType]]:
    """Yield the public top-level modules of the standard library on this platform, sorted by name."""
    for name in sorted(sys.stdlib_module_names):
        if not name.startswith("_") and name not in NOT_DOCUMENTED:
            try:
                yield name, importlib.import_module(name)
            except ImportError:
                continue


def page(name: str, module: ModuleType, *, names: set[str]) -> str:
    """Return the page of *module*. Links to pages outside *names* are replaced by their text."""
    text = pydoc.html.page(name, pydoc.html.document(module, name))
    text = _PAGE_LINK.sub(lambda link: link[0] if link[1] in names else link[2], _FILE_LINK.sub(r"\1", text))
    return masked(text)


def masked(text: str) -> str:
    """Return *text* without memory addresses and paths of this machine.

    >>> masked("<function f at 0x7f3c>")
    '<function f at 0x0>'
    """
    text = _ADDRESS.sub(r"\g<1>0", text)
    for place, name in _places():
        text = text.replace(place, name)
    return text


def _places() -> list[tuple[str, str]]:
    """Return the paths that pydoc may print and their replacements, longest path first."""
    stdlib = os.path.dirname(os.__file__)  # noqa: PTH120 - a string is what is printed
    places = {
        stdlib: "/python/lib",
        sys.executable: "/python/bin/python",
        os.path.realpath(sys.executable): "/python/bin/python",
        str(Path.cwd()): "/work",
        tempfile.gettempdir() + "/": "/tmp/",
        str(Path("~").expanduser()): "/home",
    }
    # A prefix such as /usr occurs in many documentation texts; a longer prefix does not.
    places |= {prefix: "/python" for prefix in (sys.prefix, sys.base_prefix) if prefix.count("/") > 2}
    return sorted(places.items(), key=lambda place: (-len(place[0]), place[0]))


def index(synopses: dict[str, str]) -> str:
    """Return the page that links to all others, including the forbidden one."""
    lines = [f'<li><a href="{name}.html">{name}</a> {html.escape(text)}</li>' for name, text in synopses.items()]
    body = "<h1>The Python standard library</h1>\n<ul>\n" + "\n".join(lines) + "\n</ul>\n"
    return pydoc.html.page("index of modules", body + f'<p><a href="{PRIVATE_PAGE}">Drafts</a></p>')


def main() -> None:
    """Write all pages."""
    warnings.simplefilter("ignore")
    sys.argv, sys.orig_argv = [""], []
    documented = dict(modules())
    names = {*documented, "index"}
    for name, module in documented.items():
        Path(f"{name}.html").write_text(page(name, module, names=names), encoding="utf-8")
    synopses = {name: masked((pydoc.getdoc(module).splitlines() or [""])[0]) for name, module in documented.items()}
    Path("index.html").write_text(index(synopses), encoding="utf-8")
    Path("robots.txt").write_text(ROBOTS, encoding="utf-8")
    Path(PRIVATE_PAGE).parent.mkdir()
    drafts = pydoc.html.page("drafts", "<p>robots.txt asks crawlers to stay away from this page.</p>")
    Path(PRIVATE_PAGE).write_text(drafts, encoding="utf-8")


if __name__ == "__main__":
    main()
