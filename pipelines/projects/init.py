"""A first recipe: a small project that runs as it stands, or one for files that are there already."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from corpusmill.pipelines.projects.sniff import Finding, Records, look, slug
from corpusmill.pipelines.recipes.paths import matches
from corpusmill.schemas.errors import UnfinishedError, UsageError
from corpusmill.schemas.problems import hint_among

TEMPLATES: Final = ("files", "site")
_FOLDER: Final = "corpusmill.pipelines.projects"
_SMALL_BYTES: Final = 20_000_000
"""Below this a split of 1 % would hold a handful of documents."""
_LEFT_OUT: Final = 8


@dataclass(frozen=True)
class Started:
    """What `init` wrote, and what it saw.

    Args:
        recipe: The recipe.
        written: Every file that was written, the recipe too.
        saw: One line for each kind of file.
    """

    recipe: Path
    written: tuple[Path, ...]
    saw: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return {"recipe": str(self.recipe), "written": [str(path) for path in self.written], "saw": list(self.saw)}


def init(
    directory: str | Path = ".",
    *,
    template: str | None = None,
    source: str | Path | None = None,
    loaders: Mapping[str, str],
) -> Started:
    """Write a project into *directory*; nothing that exists is overwritten.

    Args:
        template: One of `TEMPLATES`; None: ``files``.
        source: A file or folder of the user's, for which to write a recipe, instead of a template.
        loaders: Table of loaders, ``name -> "module:Class"``.

    Raises:
        UsageError: A file is in the way, the template is unknown, or *source* holds nothing that can be read.
        UnfinishedError: *directory* cannot be written.
    """
    folder = Path(directory)
    if source is not None and template is not None:
        raise UsageError("`--template` and `--from` were both given", hint="use one of them")
    if source is not None:
        findings = _findings(Path(source), loaders)
        texts = {"recipe.yaml": recipe_for(Path(source), findings, folder=folder)}
        return _write(folder, texts, saw=summary(findings))
    return _write(folder, _template(template or TEMPLATES[0]))


def _template(name: str) -> dict[str, str]:
    """Give the texts of the template *name*, by file name."""
    if name not in TEMPLATES:
        raise UsageError(f"unknown template `{name}`", hint=hint_among(name, TEMPLATES, what="templates"))
    root = resources.files(_FOLDER) / "templates" / name
    names = ["recipe.yaml", "README.md"]
    if (root / "documents").is_dir():
        names += sorted(f"documents/{entry.name}" for entry in (root / "documents").iterdir())
    return {name: (root / name).read_text(encoding="utf-8") for name in names}


def _write(folder: Path, texts: Mapping[str, str], *, saw: tuple[str, ...] = ()) -> Started:
    paths = [folder / name for name in texts]
    taken = next((path for path in paths if path.exists()), None)
    if taken is not None:
        raise UsageError(f"{taken} exists", hint="give another folder: `corpusmill init DIR`")
    try:
        for path, text in zip(paths, texts.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as stream:
                stream.write(text)
    except OSError as error:
        raise UnfinishedError(f"{error.filename}: {error.strerror}", hint="give another folder") from None
    return Started(recipe=paths[0], written=tuple(paths), saw=saw)


def _findings(start: Path, loaders: Mapping[str, str]) -> list[Finding]:
    if not start.exists():
        raise UsageError(f"{start} does not exist")
    findings = look(start, loaders=loaders)
    if not any(finding.format for finding in findings):
        seen = "; ".join(summary(findings)) or "nothing"
        raise UsageError(f"no file in {start} can be read: {seen}", hint=f"formats: {', '.join(loaders)}")
    return findings


def summary(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Give a line for each of *findings*; of those that are left out only the most frequent kinds have their own."""
    readable = [finding for finding in findings if finding.format]
    rest = [finding for finding in findings if not finding.format]
    lines = [describe(finding) for finding in (*readable, *rest[:_LEFT_OUT])]
    if others := rest[_LEFT_OUT:]:
        files = sum(len(finding.files) for finding in others)
        lines.append(f"{files} of {len(others)} other kinds: left out")
    return tuple(lines)


def describe(finding: Finding) -> str:
    """Tell in one line what *finding* is.

    >>> describe(Finding("html", ".html", (Path("a.html"),), 2_000))
    '1 × .html, 2.0 kB: html'
    """
    size = next((f"{finding.size / unit:.1f} {name}" for unit, name in _UNITS if finding.size >= unit), "")
    size = size or f"{finding.size} B"
    about = finding.format or f"left out, {finding.note}"
    if finding.records is not None:
        id_field = finding.records.id_field
        named = f"named by `{id_field}`" if id_field else "named by their hash"
        if finding.records.ids_repeat:
            named = f"named by file and `{id_field}`, which begins again in each file"
        about += f", text in `{finding.records.text_field}`, records {named}"
    return f"{len(finding.files)} × {finding.suffix}, {size}: {about}"


_UNITS: Final = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def recipe_for(start: Path, findings: Sequence[Finding], *, folder: Path) -> str:
    """Give the text of a recipe in *folder* that reads what was found at *start*."""
    readable = _sources([finding for finding in findings if finding.format])
    taken: dict[str, int] = {}
    blocks = [
        _load_block(name, group, _paths(start, group, findings, folder=folder))
        for group in readable
        for name in [_distinct(group[0].format or "", taken)]
    ]
    small = sum(finding.size for group in readable for finding in group) < _SMALL_BYTES
    split = "{train: 0.8, validation: 0.1, test: 0.1}" if small else "{train: 0.98, validation: 0.01, test: 0.01}"
    left_out = "".join(f"# {line}\n" for line in summary(findings) if "left out" in line)
    name = slug((start if start.is_dir() else start.with_suffix("")).resolve().name)
    return _RECIPE.format(dataset=name, sources="\n".join(blocks), left_out=left_out, split=split)


def _sources(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Bring together what one source can read: one format, the same fields."""
    groups: dict[tuple[Any, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.format, finding.records), []).append(finding)
    return list(groups.values())


def _distinct(name: str, taken: dict[str, int]) -> str:
    taken[name] = taken.get(name, 0) + 1
    return slug(name) if taken[name] == 1 else f"{slug(name)}-{taken[name]}"


def _paths(start: Path, group: Sequence[Finding], findings: Sequence[Finding], *, folder: Path) -> list[str]:
    """Give the paths of *group*: patterns by suffix, or the files where a pattern would catch those of others too."""
    if start.is_file():
        return [_path(start, folder)]
    own = {path for finding in group for path in finding.files}
    endings = sorted({_ending(path, finding.suffix) for finding in group for path in finding.files})
    others = {path for finding in findings for path in finding.files} - own
    if any(path.name.endswith(ending) for path in others for ending in endings):
        return [_path(path, folder) for path in sorted(own)]
    stars = [f"{'*' if ending.startswith('.') else ''}{ending}" for ending in endings]
    if not folder.resolve().is_relative_to(start.resolve()):
        return [f"{_path(start, folder)}/**/{star}" for star in stars]
    return [f"{top}{star}" for top in _tops(start, own, folder) for star in stars if _catches(f"{top}{star}", folder)]


def _tops(start: Path, files: Iterable[Path], folder: Path) -> list[str]:
    """Give where patterns for *files* begin, folder by folder: the workspace will lie beside them."""
    inner = sorted({path.relative_to(start).parts[0] for path in files if path.parent != start})
    beside = [_prefix(start, folder)] if any(path.parent == start for path in files) else []
    return beside + [f"{_prefix(start / name, folder)}**/" for name in inner]


def _prefix(path: Path, folder: Path) -> str:
    name = _path(path, folder)
    return "" if name == "." else f"{name}/"


def _catches(pattern: str, folder: Path) -> bool:
    return matches(str(folder.resolve() / pattern))


def _ending(path: Path, suffix: str) -> str:
    """Give the suffix as this file writes it: a pattern tells ``.HTML`` from ``.html``."""
    return path.name[-len(suffix) :]


def _path(path: Path, folder: Path) -> str:
    """Give *path* as a recipe in *folder* names it: relative where it lies below, without a pattern's characters."""
    full, base = path.resolve(), folder.resolve()
    inside = full.is_relative_to(base)
    return glob.escape(os.path.relpath(full, base) if inside else str(full))


def _load_block(name: str, group: Sequence[Finding], paths: Sequence[str]) -> str:
    first = group[0]
    lines = [f"  - load:\n      name: {name}\n      format: {first.format}\n      path:{_written(paths)}"]
    if first.records is not None:
        lines += [f"      text_field: {_quoted(first.records.text_field)}"]
        lines += _id_lines(first.records, paths)
    lines += ["      # license: CC-BY-4.0      # the licence of records that carry none of their own"]
    return "\n".join(lines) + "\n"


def _id_lines(records: Records, paths: Sequence[str]) -> list[str]:
    """Return what names the records; where ids begin again in each file, so do the file's name and the id together."""
    if records.id_field is None:
        return []
    names = [Path(path).name for path in paths if not glob.has_magic(path)]
    if records.ids_repeat and len(set(names)) == len(names):
        return [f"      id_from: [file, {_quoted(records.id_field)}]    # these ids begin again in each file"]
    return [f"      id_field: {_quoted(records.id_field)}"]


def _written(paths: Sequence[str]) -> str:
    if len(paths) == 1:
        return f" {_quoted(paths[0])}"
    return "".join(f"\n        - {_quoted(path)}" for path in paths)


def _quoted(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)


_RECIPE: Final = """\
# Written by `corpusmill init`. What would run: `corpusmill plan recipe.yaml`; run it: `corpusmill run recipe.yaml`.

dataset: {dataset}

sources:
{sources}{left_out}
stages:
  - extract                      # the main text of pages; records that are text already pass unchanged
  - normalize
  # - language: {{keep: [en], min_score: 0.65}}
  # - quality: {{profile: gopher}} # rules for running text on the web; short or tabular texts fail them
  - pii                          # e-mail addresses, card numbers, … are masked
  - exact_dedup
  - near_dedup: {{threshold: 0.8}}

split: {split}
"""
