"""The commands for a project as a whole: `init`, `doctor` and `schema`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from corpusmill.commands.place import workspace_of
from corpusmill.terminal.console import Console, table


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option(
    "--template", help="Kind of project: files, site, wikipedia, news, papers, medical, books, forum or code."
)
@click.option("--from", "source", type=click.Path(path_type=Path, exists=True), help="Write a recipe for these files.")
@click.pass_obj
def init(console: Console, directory: Path, template: str | None, source: Path | None) -> None:
    """Create a project in DIRECTORY, by default in the current folder. Existing files are never overwritten."""
    from corpusmill.pipelines.projects.init import init as start

    started = start(directory, template=template, source=source, loaders=console.parts["acquisition"].loaders)
    if console.as_json:
        console.data(started.as_dict())
        return
    for line in started.saw:
        console.say(line)
    for path in started.written:
        console.text(f"wrote {path}")
    console.say(f"next: {_next_command(started.recipe)}")


def _next_command(recipe: Path) -> str:
    """Return the command to run after `init`. A recipe runs in its own folder, so that its workspace is created there.

    >>> _next_command(Path("my-corpus/recipe.yaml"))
    'cd my-corpus && corpusmill plan recipe.yaml'
    """
    plan = f"corpusmill plan {recipe.name}"
    return plan if recipe.parent == Path() else f"cd {shlex.quote(str(recipe.parent))} && {plan}"


@click.command()
@click.option("--repair", is_flag=True, help="Rebuild the catalog from the manifests of the versions.")
@click.option("--verify", is_flag=True, help="Compare the SHA-256 of every file of every version and source.")
@click.pass_obj
def doctor(console: Console, repair: bool, verify: bool) -> int:
    """Check which features are installed and whether the workspace is intact."""
    from corpusmill.pipelines.projects.doctor import doctor as look
    from corpusmill.pipelines.projects.doctor import readiness

    place = workspace_of(console)
    store = None if place.place is None else place.store
    checks = [check.as_dict() for check in look(place.root, store=store)]
    if repair or verify:
        from corpusmill.crawlers.loaders.streams import sha256_of
        from corpusmill.pipelines.dataset.health import repaired, verified

        checks += repaired(place) if repair else []
        checks += verified(place, member_hash=sha256_of) if verify else []
    if console.as_json:
        console.data({"checks": checks})
    else:
        console.text(table(checks, ["status", "name", "found", "hint"]))
        console.text(f"\n{readiness(checks)}")
    return 1 if any(check["status"] == "damaged" for check in checks) else 0


@click.command()
@click.pass_obj
def schema(console: Console) -> None:
    """Print the JSON Schema of recipes, for completion and validation in editors."""
    from corpusmill.pipelines.recipes.json_schema import recipe_schema
    from corpusmill.pipelines.recipes.reading import stage_table

    console.data(recipe_schema(stages=stage_table(), loaders=console.parts["acquisition"].loaders))


@click.command()
@click.option("--format", "name", metavar="NAME", help="Show all about this format.")
@click.pass_obj
def sources(console: Console, name: str | None) -> None:
    """List the formats of `load`: their files, and the license, the origin and the tests of their usual data."""
    from corpusmill.pipelines.projects.formats import described, formats

    rows = formats(console.parts["acquisition"].loaders, name=name)
    if console.as_json:
        console.data(rows)
    elif name is not None:
        console.text(described(rows[0]))
    else:
        shown = [
            {"format": row["format"], "files": ", ".join(row["suffixes"]) or "-", "how to get them": row["get"]}
            for row in rows
        ]
        console.text(table(shown, ["format", "files", "how to get them"]))
        console.text("\nlicense, extras and tests of one: corpusmill sources --format NAME")
