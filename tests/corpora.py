"""Small generated corpora: prose, copies, near-duplicates, personal data and broken records; deterministic."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_WORDS: Final = (
    "the of and to in that with have from this for not which are were they their when where because over under river "
    "mountain harbour library engine garden window teacher letter paper history music science village market winter "
    "summer morning evening question answer reason season bridge forest island journey measure machine record language "
    "people children women country city house street school number water light stone field story voice memory"
).split()


def sentence(chance: random.Random) -> str:
    """Return a sentence of 6 to 14 words."""
    words = [chance.choice(_WORDS) for _ in range(chance.randrange(6, 15))]
    return " ".join(words).capitalize() + "."


def prose(chance: random.Random, sentences: int) -> str:
    """Return paragraphs with *sentences* sentences in total."""
    lines = [sentence(chance) for _ in range(sentences)]
    return "\n\n".join(" ".join(lines[start : start + 4]) for start in range(0, sentences, 4))


def records(count: int, *, seed: int = 1) -> list[dict[str, Any]]:
    """Return *count* records: most are prose; some are copies, near-duplicates, too short, or have personal data."""
    chance = random.Random(seed)
    made: list[dict[str, Any]] = []
    for number in range(count):
        text = prose(chance, chance.randrange(8, 20))
        match number % 10:
            case 3 if made:
                text = made[chance.randrange(len(made))]["text"]
            case 5 if made:
                text = made[chance.randrange(len(made))]["text"] + " " + sentence(chance)
            case 7:
                text += "\n\nWrite to jane.roe@mail.example.org or call 8.8.4.4 with card 4111 1111 1111 1111."
            case 9:
                text = sentence(chance)
        made.append({"id": f"record-{number}", "text": text, "title": f"Record {number}"})
    return made


def lines_of(rows: Sequence[dict[str, Any]]) -> list[bytes]:
    """Return *rows* as lines of JSON, with some broken lines."""
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    return [*lines, b"{not json", b'{"id": "no-text"}', b'"a string"', b'{"id": "bad", "text": "\xff\xfe"}']


def write_lines(folder: Path, lines: Sequence[bytes], *, files: int, seed: int = 0) -> None:
    """Write *lines* in random order to *files* files."""
    folder.mkdir(parents=True, exist_ok=True)
    shuffled = list(lines)
    random.Random(seed).shuffle(shuffled)
    for number in range(files):
        part = shuffled[number::files]
        (folder / f"{chr(ord('z') - number)}-{seed}.jsonl").write_bytes(b"\n".join(part) + b"\n")


RECIPE: Final = """\
dataset: made
sources:
  - load: {name: lines, format: jsonl, path: lines, license: CC0-1.0}
  - load: {name: pages, format: html, path: pages}
stages:
  - extract
  - normalize
  - language: {keep: [en], min_score: 0.2}
  - quality: {profile: gopher}
  - pii
  - exact_dedup
  - near_dedup
split: {train: 0.8, validation: 0.1, test: 0.1}
shards: {target_bytes: 30kB}
"""


def write_project(folder: Path, *, count: int = 120, files: int = 3, seed: int = 0) -> Path:
    """Write a project with JSON Lines and pages to *folder*, and return the path of its recipe."""
    write_lines(folder / "lines", lines_of(records(count)), files=files, seed=seed)
    pages = folder / "pages"
    pages.mkdir(exist_ok=True)
    chance = random.Random(99)
    for number in range(12):
        body = "".join(f"<p>{paragraph}</p>" for paragraph in prose(chance, 14).split("\n\n"))
        head = f"<head><title>Page {number}</title></head>"
        html = f"<html>{head}<body><nav><a href=/>Home</a></nav><main><h1>Page {number}</h1>{body}</main></body></html>"
        (pages / f"page-{number}.html").write_text(html)
    (pages / "empty.html").write_bytes(b"")
    (pages / "picture.html").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE)
    return recipe
