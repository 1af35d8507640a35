"""Write a first recipe: a small project that runs unchanged, or a recipe for existing files."""

from __future__ import annotations

import glob
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from corpusmill.pipelines.projects.sniff import Finding, Records, look, slug
from corpusmill.pipelines.recipes.paths import matches
from corpusmill.schemas.errors import UnfinishedError, UsageError
from corpusmill.schemas.problems import hint_among

TEMPLATES: Final = ("files", "site", "wikipedia", "news", "papers", "medical", "books", "forum", "code")
_FOLDER: Final = "corpusmill.pipelines.projects"
_SAMPLES: Final = ("documents", "data", "repository")
"""Folders with the sample files of a template."""
_SMALL_BYTES: Final = 20_000_000
"""Number of documents below which a split of 1 % is too small."""
_LEFT_OUT: Final = 8


@dataclass(frozen=True)
class Started:
    """The files that `init` wrote, and a summary of the user's files.

    Args:
        recipe: The recipe.
        written: Every file that was written, including the recipe.
        saw: A line for each kind of file.
    """

    recipe: Path
    written: tuple[Path, ...]
    saw: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        return {"recipe": str(self.recipe), "written": [str(path) for path in self.written], "saw": list(self.saw)}


def init(
    directory: str | Path = ".",
    *,
    template: str | None = None,
    source: str | Path | None = None,
    loaders: Mapping[str, str],
) -> Started:
    """Write a project into *directory*, without overwriting files.

    Args:
        template: One of `TEMPLATES`; None means ``files``.
        source: A file or folder of the user to write a recipe for, instead of a template.
        loaders: Table of loaders, ``name -> "module:Class"``.

    Raises:
        UsageError: A file exists already, the template is unknown, or *source* has no readable file.
        UnfinishedError: *directory* cannot be written.
    """
    folder = Path(directory)
    if source is not None and template is not None:
        raise UsageError("`--template` and `--from` exclude each other", hint="use one of them")
    if source is not None:
        findings = _findings(Path(source), loaders)
        texts = {"recipe.yaml": recipe_for(Path(source), findings, folder=folder)}
        return _write(folder, texts, saw=summary(findings))
    started = _write(folder, _template(template or TEMPLATES[0]))
    if (folder / "repository").is_dir():
        _commit(folder / "repository")
    return started


def _commit(folder: Path) -> None:
    """Make a repository of the sample files in *folder*.

    Raises:
        UnfinishedError: git is missing or fails.
    """
    author = ("-c", "user.name=corpusmill", "-c", "user.email=corpusmill@localhost", "-c", "commit.gpgsign=false")
    for arguments in (("init", "--quiet"), ("add", "."), (*author, "commit", "--quiet", "-m", "Add the sample")):
        try:
            subprocess.run(("git", "-C", str(folder), *arguments), check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise UnfinishedError(
                f"git cannot make a repository: {error}", file=str(folder), hint="install git"
            ) from None


def _template(name: str) -> dict[str, str]:
    """Return the texts of the template *name*, by file name."""
    if name not in TEMPLATES:
        raise UsageError(f"unknown template `{name}`", hint=hint_among(name, TEMPLATES, noun="templates"))
    root = resources.files(_FOLDER) / "templates" / name
    names = ["recipe.yaml", "README.md"]
    for folder in _SAMPLES:
        if (root / folder).is_dir():
            names += sorted(f"{folder}/{entry.name}" for entry in (root / folder).iterdir() if entry.is_file())
    return {name: (root / name).read_text(encoding="utf-8") for name in names}


def _write(folder: Path, texts: Mapping[str, str], *, saw: tuple[str, ...] = ()) -> Started:
    paths = [folder / name for name in texts]
    taken = next((path for path in paths if path.exists()), None)
    if taken is not None:
        raise UsageError(f"{taken} exists", hint="choose another folder: `corpusmill init DIR`")
    try:
        for path, text in zip(paths, texts.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as stream:
                stream.write(text)
    except OSError as error:
        raise UnfinishedError(f"{error.filename}: {error.strerror}", hint="choose another folder") from None
    return Started(recipe=paths[0], written=tuple(paths), saw=saw)


def _findings(start: Path, loaders: Mapping[str, str]) -> list[Finding]:
    if not start.exists():
        raise UsageError(f"{start} does not exist")
    findings = look(start, loaders=loaders)
    if not any(finding.format for finding in findings):
        hint = f"formats: {', '.join(loaders)}"
        if not findings:
            raise UsageError(f"{start} has no files, or only hidden ones", hint=hint)
        raise UsageError(f"no file in {start} can be read: {'; '.join(summary(findings))}", hint=hint)
    return findings


def summary(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return a line for each of *findings*; of unreadable kinds, only the most frequent ones have a line."""
    readable = [finding for finding in findings if finding.format]
    rest = [finding for finding in findings if not finding.format]
    lines = [describe(finding) for finding in (*readable, *rest[:_LEFT_OUT])]
    if others := rest[_LEFT_OUT:]:
        files = sum(len(finding.files) for finding in others)
        lines.append(f"{files} of {len(others)} other kinds: left out")
    return tuple(lines)


def describe(finding: Finding) -> str:
    """Describe *finding* in one line.

    >>> describe(Finding("html", ".html", (Path("a.html"),), 2_000))
    '1 × .html, 2.0 kB: html'
    """
    size = next((f"{finding.size / unit:.1f} {name}" for unit, name in _UNITS if finding.size >= unit), "")
    size = size or f"{finding.size} B"
    about = finding.format or f"left out, {finding.note}"
    about += f" in `{finding.inside}`" if finding.inside else ""
    if finding.records is not None:
        id_field = finding.records.id_field
        named = f"named by `{id_field}`" if id_field else "named by their hash"
        if finding.records.ids_repeat:
            named = f"named by file and `{id_field}`, which starts again in each file"
        about += f", text in `{finding.records.text_field}`, records {named}"
    return f"{len(finding.files)} × {finding.suffix}, {size}: {about}"


_UNITS: Final = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def recipe_for(start: Path, findings: Sequence[Finding], *, folder: Path) -> str:
    """Return the text of a recipe in *folder* that reads the files at *start*."""
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
    """Group findings that one source can read: the same format and fields."""
    groups: dict[tuple[Any, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.format, finding.records, finding.inside), []).append(finding)
    return list(groups.values())


def _distinct(name: str, taken: dict[str, int]) -> str:
    taken[name] = taken.get(name, 0) + 1
    return slug(name) if taken[name] == 1 else f"{slug(name)}-{taken[name]}"


def _paths(start: Path, group: Sequence[Finding], findings: Sequence[Finding], *, folder: Path) -> list[str]:
    """Return the paths of *group*: patterns by suffix, or single files if a pattern matches files of other groups."""
    if group[0].inside is not None:
        return [f"{_path(path, folder)}!/{group[0].inside}" for finding in group for path in finding.files]
    if start.is_file() or any(start in finding.files for finding in group):  # a repository is one finding
        return [_path(start, folder)]
    own = {path for finding in group for path in finding.files}
    if any(path.is_dir() for path in own):
        return [_path(path, folder) for path in sorted(own)]
    endings = sorted({_ending(path, finding.suffix) for finding in group for path in finding.files})
    others = {path for finding in findings for path in finding.files} - own
    if any(path.name.endswith(ending) for path in others for ending in endings):
        return _paths_by_folder(own, others, endings, folder=folder)
    stars = [ending if all(path.name == ending for path in own) else f"*{ending}" for ending in endings]
    if not folder.resolve().is_relative_to(start.resolve()):
        return [f"{_path(start, folder)}/**/{star}" for star in stars]
    return [f"{top}{star}" for top in _tops(start, own, folder) for star in stars if _catches(f"{top}{star}", folder)]


def _paths_by_folder(own: set[Path], others: set[Path], endings: Sequence[str], *, folder: Path) -> list[str]:
    """Return a pattern for each folder and ending, or single files where it matches files of *others*, or one file."""
    paths = []
    for parent, ending in sorted({(path.parent, end) for path in own for end in endings if path.name.endswith(end)}):
        inside = [path for path in own if path.parent == parent and path.name.endswith(ending)]
        is_shared = any(path.parent == parent and path.name.endswith(ending) for path in others)
        if is_shared or len(inside) == 1:
            paths += [_path(path, folder) for path in sorted(inside)]
        else:
            paths.append(f"{_prefix(parent, folder)}*{glob.escape(ending)}")
    return paths


def _tops(start: Path, files: Iterable[Path], folder: Path) -> list[str]:
    """Return the beginnings of patterns for *files*, by folder, so that they do not match files of the workspace."""
    inner = sorted({path.relative_to(start).parts[0] for path in files if path.parent != start})
    beside = [_prefix(start, folder)] if any(path.parent == start for path in files) else []
    return beside + [f"{_prefix(start / name, folder)}**/" for name in inner]


def _prefix(path: Path, folder: Path) -> str:
    name = _path(path, folder)
    return "" if name == "." else f"{name}/"


def _catches(pattern: str, folder: Path) -> bool:
    return matches(str(folder.resolve() / pattern))


def _ending(path: Path, suffix: str) -> str:
    """Return the suffix in the case of *path*: patterns are case-sensitive."""
    return path.name[-len(suffix) :]


def _path(path: Path, folder: Path) -> str:
    """Return *path* for a recipe in *folder*: relative if it is below, with pattern characters escaped."""
    full, base = path.resolve(), folder.resolve()
    inside = full.is_relative_to(base)
    return glob.escape(os.path.relpath(full, base) if inside else str(full))


def _load_block(name: str, group: Sequence[Finding], paths: Sequence[str]) -> str:
    first = group[0]
    lines = [f"  - load:\n      name: {name}\n      format: {first.format}\n      path:{_written(paths)}"]
    if first.records is not None:
        lines += [f"      text_field: {_quoted(first.records.text_field)}"]
        lines += _id_lines(first.records, paths)
    lines += ["      # license: CC-BY-4.0      # for records without a license of their own"]
    return "\n".join(lines) + "\n"


def _id_lines(records: Records, paths: Sequence[str]) -> list[str]:
    """Return the line that names the field of ids; if ids start again in each file, it adds the file's name."""
    if records.id_field is None:
        return []
    names = [Path(path).name for path in paths if not glob.has_magic(path)]
    if records.ids_repeat and len(set(names)) == len(names):
        return [f"      id_from: [file, {_quoted(records.id_field)}]    # these ids start again in each file"]
    return [f"      id_field: {_quoted(records.id_field)}"]


def _written(paths: Sequence[str]) -> str:
    if len(paths) == 1:
        return f" {_quoted(paths[0])}"
    return "".join(f"\n        - {_quoted(path)}" for path in paths)


def _quoted(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)


_RECIPE: Final = """\
# Written by `corpusmill init`. Show the steps: `corpusmill plan recipe.yaml`. Run them: `corpusmill run recipe.yaml`.

dataset: {dataset}

sources:
{sources}{left_out}
stages:
  - extract                      # extract the main text of pages; plain text passes unchanged
  - normalize
  # - language: {{keep: [en], min_score: 0.65}}
  # - quality: {{profile: gopher}} # rules for running text on the web; reject short or tabular text
  - pii                          # in texts: mask e-mail addresses, IP addresses, card numbers
  - exact_dedup
  - near_dedup: {{threshold: 0.8}}

split: {split}
"""
