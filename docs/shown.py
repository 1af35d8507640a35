"""Keeps what how-to pages show the same as what is there: outputs of commands, and files.

For a page ``x.md`` with a folder ``x`` beside it: a fence whose first line is ``$ corpusmill …`` is followed by what
the command prints in that folder, a fence ``html FILE`` by the file. ``python docs/shown.py`` writes them anew,
``--check`` names the pages that differ and ends with 1.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
_COMMAND: Final = re.compile(r"^(`{3,})console\n\$ (corpusmill [^\n]+)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_FILE: Final = re.compile(r"^(`{3,})html (\S+)\n.*?^\1$", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """Give the pages that show something."""
    return [page for page in sorted((ROOT / "docs").rglob("*.md")) if page.with_suffix("").is_dir()]


def refreshed(page: Path) -> str:
    """Give the text of *page* with what its commands print now, and what its files hold."""
    text = page.read_text(encoding="utf-8")
    folder = page.with_suffix("")
    text = _FILE.sub(lambda found: f"{found[1]}html {found[2]}\n{_content(folder / found[2])}{found[1]}", text)
    return _COMMAND.sub(lambda found: f"{found[1]}console\n$ {found[2]}\n{_output(found[2], folder)}{found[1]}", text)


def _content(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _output(command: str, folder: Path) -> str:
    """Give what *command* prints when it is typed in *folder*: lines of the same form on every machine."""
    python = f'"{sys.executable}"'
    script = f'corpusmill() {{ {python} -m corpusmill "$@"; }}\npython() {{ {python} "$@"; }}\n{command}'
    environment = os.environ | {"NO_COLOR": "1", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    return f"{(done.stdout + done.stderr).rstrip()}\n"


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
