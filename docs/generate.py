"""Writes the generated pages of `docs/reference/` from the code: tables, models, docstrings, `--help`.

``python docs/generate.py`` writes them, ``--check`` names those that are not up to date and ends with 1.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import click  # noqa: E402
from pydantic import BaseModel  # noqa: E402
from pydantic_core import PydanticUndefined, to_jsonable_python  # noqa: E402

from corpusmill.crawlers.registry import LOADERS  # noqa: E402
from corpusmill.pipelines.engines.base import resolve  # noqa: E402
from corpusmill.pipelines.registry import STAGES  # noqa: E402
from corpusmill.pipelines.stages.cuts import CUT  # noqa: E402
from corpusmill.schemas import crawled_pages, document, errors  # noqa: E402
from corpusmill.schemas.budgets import CrawlBudgets, HostBudgets  # noqa: E402
from corpusmill.schemas.crawl_source import CrawlSource, Recrawl  # noqa: E402
from corpusmill.schemas.crawl_statistics import (  # noqa: E402
    CrawlStatistics,
    DepthStatistics,
    HostStatistics,
    Interval,
    RuleStatistics,
    Timeline,
)
from corpusmill.schemas.error_rules import CRAWL_RULES, ERROR_RULES  # noqa: E402
from corpusmill.schemas.optouts import OPTOUT_RULES  # noqa: E402
from corpusmill.schemas.recipe import Checks, LoadSource, Recipe, Shards, Split  # noqa: E402
from corpusmill.training.config import TrainConfig  # noqa: E402

REFERENCE: Final = ROOT / "docs" / "reference"
_MADE: Final = "<!-- Written by `make docs` from the code; edit that. -->\n\n"
_WIDTH: Final = 100


def pages() -> dict[str, str]:
    """Give the text of every generated page, by file name."""
    made = {
        "stages.md": stages_page(),
        "formats.md": formats_page(),
        "recipe.md": recipe_page(),
        "columns.md": columns_page(),
        "training.md": training_page(),
        "command-line.md": command_line_page(),
        "errors.md": errors_page(),
        "crawl-statistics.md": crawl_statistics_page(),
    }
    return {name: _MADE + text.rstrip() + "\n" for name, text in made.items()}


def stages_page() -> str:
    """Give the page of stages, in the order of the table."""
    parts = [
        "# Stages\n\nIn the order in which records usually meet them. Names and code meet in `pipelines/registry.py`; "
        "parameters are written as `- name: {parameter: value}`.\n"
    ]
    for name, place in STAGES.items():
        model = resolve(place)
        extra = f"Needs the extra `{model.extra}`.\n\n" if model.extra else ""
        parts.append(f"## {name}\n\n{_docstring(model)}\n\n{extra}Version {model.version}.\n\n{fields_table(model)}")
    return "\n".join(parts)


def formats_page() -> str:
    """Give the page of formats that `load` reads."""
    parts = ["# Formats\n\nWhat `format` of a `load` source may be, and the fields that each adds to it.\n"]
    for name, place in LOADERS.items():
        model = resolve(place)
        found = f"In a folder: files named `{'`, `'.join(model.suffixes)}`.\n\n" if model.suffixes else ""
        parts.append(f"## {name}\n\n{_docstring(model)}\n\n{found}{fields_table(model)}")
    return "\n".join(parts)


def recipe_page() -> str:
    """Give the page of the recipe's fields."""
    sections: dict[str, type[BaseModel]] = {
        "crawl": CrawlSource,
        "recrawl": Recrawl,
        "budgets": CrawlBudgets,
        "per_host": HostBudgets,
        "load": LoadSource,
        "split": Split,
        "shards": Shards,
        "checks": Checks,
    }
    parts = [
        "# Recipe\n\nEvery field of a recipe file. Durations are `30m`, `12h`, `7d`, `2w` or `never`; sizes are "
        "a number of bytes or `500kB`, `256MB`, `1.5GB` (1 MB = 10^6 bytes). YAML is read as in version 1.2: "
        "`no` is a text. `corpusmill schema` prints the same as a JSON Schema, for editors.\n",
        f"## Sections\n\n{fields_table(Recipe)}",
    ]
    for name, model in sections.items():
        parts.append(f"## {name}\n\n{_docstring(model)}\n\n{fields_table(model)}")
    return "\n".join(parts)


def columns_page() -> str:
    """Give the page of the columns of every Parquet file that a version has."""
    tables = {"Documents": document.DOCUMENT, "Ledger": document.LEDGER, "Origin": document.ORIGIN}
    tables["Cuts, in the tables `<stage>.cuts`"] = CUT
    tables["Ledger of a crawl"] = document.RAW_LEDGER
    tables["Pages of a crawl"] = crawled_pages.CRAWLED_PAGES
    tables["Gone pages of a crawl"] = crawled_pages.GONE_PAGES
    parts = ["# Columns\n\nThe Parquet files of a version, and the tables beside the archives of a crawl.\n"]
    for title, schema in tables.items():
        rows = [
            (f"`{field.name}`", f"`{document.type_name(field.type)}`", "yes" if field.nullable else "no")
            for field in schema
        ]
        parts.append(f"## {title}\n\n{table(('column', 'type', 'may be null'), rows)}")
    return "\n".join(parts)


def training_page() -> str:
    """Give the page of the configuration of a training run."""
    sections: dict[str, type[BaseModel]] = {
        name: field.annotation
        for name, field in TrainConfig.model_fields.items()
        if inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel)
    }
    parts = [f"# Training\n\nEvery field of the file that `corpusmill train` reads.\n\n{fields_table(TrainConfig)}"]
    for name, model in sections.items():
        parts.append(f"## {name}\n\n{_docstring(model)}\n\n{fields_table(model)}")
    return "\n".join(parts)


def command_line_page() -> str:
    """Give the page of the command, as `--help` prints it."""
    group = _group()
    parts = ["# Command line\n"]
    for path, command in _commands(group, ("corpusmill",)):
        settings = {**group.context_settings, "max_content_width": _WIDTH, "terminal_width": _WIDTH}
        context = click.Context(command, info_name=" ".join(path), **settings)
        parts.append(f"## {' '.join(path)}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


def _group() -> click.Group:
    os.environ["NO_COLOR"] = "1"
    from corpusmill.command import cli

    return cli


def _commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _commands(inner, (*path, name))


def errors_page() -> str:
    """Give the page of errors, exit codes, and the rules under which broken records are set aside."""
    kinds = [
        kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.CorpusmillError)
    ]
    rows = [
        (f"`{kind.code}`", str(kind.exit_code), f"`{kind.__name__}`", _docstring(kind).split("\n\n")[0])
        for kind in kinds
    ]
    rules = [(f"`{rule}`", meaning) for rule, meaning in ERROR_RULES.items()]
    opted_out = [(f"`{rule}`", meaning) for rule, meaning in OPTOUT_RULES.items()]
    gone = [(f"`{rule}`", meaning) for rule, meaning in crawled_pages.GONE_RULES.items()]
    crawled = [(f"`{rule}`", meaning) for rule, meaning in CRAWL_RULES.items()]
    return (
        "# Errors\n\nAn error names file, line, field and value, and says what to do. With `--json` it is also "
        '`{"status": "failed", "error": {"code", "message", "hint", "file", "line", "field"}}` on standard output.\n\n'
        f"{table(('code', 'exit code', 'class', 'meaning'), rows)}\n"
        "Exit code 0 is done, 4 warnings under `--strict`, 130 interrupted.\n\n## Broken records\n\n"
        "A record that cannot be used goes to the ledger under one of these rules, and the run goes on.\n\n"
        f"{table(('rule', 'meaning'), rules)}\n"
        "## Pages that opted out\n\nA page with one of these signals is not published, unless the `respect` of its "
        "source says otherwise: see [Honor opt-outs](../how-to/honor-opt-outs.md). The `message` of its row has the "
        "evidence.\n\n"
        f"{table(('rule', 'meaning'), opted_out)}\n"
        "## Pages that are gone\n\nAfter a [recrawl](../how-to/recrawl-a-site.md), the documents of such a page go to "
        "the ledger of the next version, with the stage `crawl`.\n\n"
        f"{table(('rule', 'meaning'), gone)}\n"
        "## Records that were deleted\n\nAn update of a data set can name records of other files that are deleted. "
        "They go to the ledger with the stage `deletions` and the rule `deleted`: see "
        "[MEDLINE](../how-to/load-papers.md#abstracts-of-pubmed-medline).\n\n"
        "## Addresses that were not fetched\n\nThe ledger of a crawl, `raw/<source>/ledger-*.parquet`, has a row for "
        "each of them, under one of these rules or one of those above. They are not records, so they are not in the "
        "ledger of a version; its manifest and report count them.\n\n"
        f"{table(('rule', 'meaning'), crawled)}"
    )


def crawl_statistics_page() -> str:
    """Give the page of the figures of a crawl."""
    parts = {
        "Hosts": (HostStatistics, "The rows of `hosts`."),
        "Depths": (DepthStatistics, "The rows of `depths`."),
        "Rules": (RuleStatistics, "The rows of `rules`. Examples have `url` and `message`."),
        "Time": (Timeline, "The fields of `timeline`."),
        "Intervals": (Interval, "The rows of `intervals`."),
    }
    sections = [
        f"## {name}\n\n{text} {_docstring(model)}\n\n{fields_table(model)}" for name, (model, text) in parts.items()
    ]
    return (
        "# Crawl statistics\n\n`corpusmill crawl --json` prints the figures of a finished crawl as `statistics`. They "
        "are also in\n`raw/<source>/manifest.json`. `corpusmill run --json` prints them as `crawls`, by source. The "
        "manifest of a version has\nthem as `crawl` of each input, and `report.json` as `crawls`. Their size is "
        "bounded, also for a crawl of a million hosts.\nThe id of a version does not depend on them.\n\n"
        f"{fields_table(CrawlStatistics)}\n" + "\n".join(sections)
    )


def fields_table(model: type[BaseModel]) -> str:
    """Give the fields of *model* as a table."""
    properties = model.model_json_schema()
    rows = [
        (
            f"`{name}`",
            _type(properties["properties"][name], properties),
            _default(field),
            _escape(field.description or ""),
        )
        for name, field in model.model_fields.items()
    ]
    return table(("field", "type", "default", "meaning"), rows) if rows else "No parameters.\n"


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return ""
    return f"`{_escape(json.dumps(to_jsonable_python(value), ensure_ascii=False))}`"


def _type(schema: dict[str, Any], whole: dict[str, Any]) -> str:
    """Give a JSON Schema of one field in a few words."""
    match schema:
        case {"$ref": str() as reference}:
            return _type(whole["$defs"][reference.rpartition("/")[2]], whole)
        case {"allOf": [only]}:
            return _type(only, whole)
        case {"anyOf": list() as choices} | {"oneOf": list() as choices}:
            return " or ".join(dict.fromkeys(_type(choice, whole) for choice in choices))
        case {"enum": list() as values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"const": value}:
            return f"`{value}`"
        case {"type": "array", "items": dict() as items}:
            return f"list of {_type(items, whole)}"
        case {"type": "object", "properties": dict() as fields}:
            return f"fields {', '.join(f'`{name}`' for name in fields)}"
    return _TYPES.get(schema.get("type", ""), "value") + _bounds(schema)


_TYPES: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "fields with values",
    "array": "list",
}


def _bounds(schema: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "maximum": "≤", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
    found = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    return f" {', '.join(found)}" if found else ""


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Give a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace(chr(10), ' ') for cell in line)} |\n" for line in lines)


def _docstring(thing: Any) -> str:
    return re.sub(r"``(.+?)``", r"`\1`", inspect.cleandoc(thing.__doc__ or ""))


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` say which would change."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    outdated = []
    for name, text in pages().items():
        path = REFERENCE / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            outdated.append(name)
            if "--check" not in arguments:
                path.write_text(text, encoding="utf-8")
    for name in outdated:
        print(f"{'outdated' if '--check' in arguments else 'written'}: docs/reference/{name}", file=sys.stderr)
    return 1 if outdated and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
