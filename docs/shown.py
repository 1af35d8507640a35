"""Keeps what pages show the same as what is there: outputs of commands, and files.

A page ``x.md`` with a folder ``x`` beside it is followed from top to bottom, in a copy of that folder:

- A fence whose first line is ``$ corpusmill …`` is followed by what the command prints.
- A fence ``html FILE`` or ``yaml FILE`` holds the file, which may be one that a command above it wrote.
- The comment ``<!-- cd FOLDER -->`` goes to a folder, and ``<!-- $ COMMAND -->`` runs a command that is not shown.
- The comment ``<!-- serve FOLDER PORT -->`` serves a folder on 127.0.0.1 until the end of the page. It waits for the
  port, so that checks that run at the same time take turns.

``python docs/shown.py`` writes the pages anew, ``--check`` names those that differ and ends with 1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
HOME: Final = "/home/me"
"""What pages call the copy of their folder."""
_PORT_WAIT_S: Final = 600.0
_SHOWN: Final = re.compile(
    r"""
    ^ (?P<fence>`{3,}) (?: console\n\$\ (?P<command>corpusmill\ [^\n]+) | (?P<kind>html|yaml)\ (?P<file>\S+) ) \n
      .*? ^ (?P=fence) $
    | ^ <!--\ cd\ (?P<folder>\S+)\ --> $
    | ^ <!--\ serve\ (?P<site>\S+)\ (?P<port>\d+)\ --> $
    | ^ <!--\ \$\ (?P<hidden>[^\n]+)\ --> $
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


def pages() -> list[Path]:
    """Return the pages that show something."""
    return [page for page in sorted((ROOT / "docs").rglob("*.md")) if page.with_suffix("").is_dir()]


def refreshed(page: Path) -> str:
    """Return the text of *page* with what its commands print now, and what its files hold."""
    with tempfile.TemporaryDirectory(prefix="corpusmill-") as scratch, ExitStack() as servers:
        home = Path(scratch).resolve() / "me"
        shutil.copytree(page.with_suffix(""), home)
        return _SHOWN.sub(_Reader(home, servers).shown, page.read_text(encoding="utf-8"))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing: what pages show are the outputs of commands."""


@contextmanager
def _served(folder: Path, port: int) -> Iterator[None]:
    """Serve *folder* as ``python -m http.server`` does, once no other process uses *port*."""
    deadline = time.monotonic() + _PORT_WAIT_S
    while True:
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(folder)))
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _Reader:
    """Follows a page, beginning in the folder *home*; *servers* closes what it serves."""

    def __init__(self, home: Path, servers: ExitStack) -> None:
        self._home = self._folder = home
        self._servers = servers

    def shown(self, match: re.Match[str]) -> str:
        """Return what stands in the place of *match*."""
        if match["folder"]:
            self._folder /= match["folder"]
        if match["site"]:
            self._servers.enter_context(_served(self._folder / match["site"], int(match["port"])))
        if match["hidden"]:
            self._output(match["hidden"])
        if match["command"]:
            first = f"console\n$ {match['command']}"
            return f"{match['fence']}{first}\n{self._output(match['command'])}{match['fence']}"
        if match["file"]:
            content = self._named((self._folder / match["file"]).read_text(encoding="utf-8"))
            return f"{match['fence']}{match['kind']} {match['file']}\n{content}{match['fence']}"
        return match[0]

    def _output(self, command: str) -> str:
        """Return what *command* prints when it is typed in the folder: lines of the same form on every machine."""
        python = f'"{sys.executable}"'
        script = f'corpusmill() {{ {python} -m corpusmill "$@"; }}\npython() {{ {python} "$@"; }}\n{command}'
        environment = os.environ | {"NO_COLOR": "1", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        return f"{self._named(done.stdout).rstrip()}\n"

    def _named(self, text: str) -> str:
        return text.replace(str(self._home), HOME)


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` say which would change."""
    outdated = []
    for page in pages():
        text = refreshed(page)
        if text != page.read_text(encoding="utf-8"):
            outdated.append(page.relative_to(ROOT))
            if "--check" not in arguments:
                page.write_text(text, encoding="utf-8")
    for name in outdated:
        print(f"{'outdated' if '--check' in arguments else 'written'}: {name}", file=sys.stderr)
    return 1 if outdated and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
