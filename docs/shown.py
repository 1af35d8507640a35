"""Keeps what pages show the same as what is there: outputs of commands, and files.

A page ``x.md`` with a folder ``x`` beside it is followed from top to bottom, in a copy of that folder:

- A fence whose first line is ``$ corpusmill …`` is followed by what the command prints.
- A fence ``html FILE`` or ``yaml FILE`` holds the file, which may be one that a command above it wrote.
- The comment ``<!-- cd FOLDER -->`` goes to a folder, and ``<!-- $ COMMAND -->`` runs a command that is not shown.

``python docs/shown.py`` writes the pages anew, ``--check`` names those that differ and ends with 1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
HOME: Final = "/home/me"
"""What pages call the copy of their folder."""
_SHOWN: Final = re.compile(
    r"""
    ^ (?P<fence>`{3,}) (?: console\n\$\ (?P<command>corpusmill\ [^\n]+) | (?P<kind>html|yaml)\ (?P<file>\S+) ) \n
      .*? ^ (?P=fence) $
    | ^ <!--\ cd\ (?P<folder>\S+)\ --> $
    | ^ <!--\ \$\ (?P<hidden>[^\n]+)\ --> $
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


def pages() -> list[Path]:
    """Return the pages that show something."""
    return [page for page in sorted((ROOT / "docs").rglob("*.md")) if page.with_suffix("").is_dir()]


def refreshed(page: Path) -> str:
    """Return the text of *page* with what its commands print now, and what its files hold."""
    with tempfile.TemporaryDirectory(prefix="corpusmill-") as scratch:
        home = Path(scratch).resolve() / "me"
        shutil.copytree(page.with_suffix(""), home)
        return _SHOWN.sub(_Reader(home).shown, page.read_text(encoding="utf-8"))


class _Reader:
    """Follows a page, beginning in the folder *home*."""

    def __init__(self, home: Path) -> None:
        self._home = self._folder = home

    def shown(self, match: re.Match[str]) -> str:
        """Return what stands in the place of *match*."""
        if match["folder"]:
            self._folder /= match["folder"]
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
