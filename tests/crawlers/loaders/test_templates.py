"""Texts made of several fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.crawlers.loaders.chats import chat_text
from corpusmill.crawlers.loaders.csv_rows import Csv
from corpusmill.crawlers.loaders.jsonl import JsonLines
from corpusmill.crawlers.loaders.parquet import Parquet
from corpusmill.crawlers.loaders.templates import template_of
from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.recipes.reading import load_recipe
from corpusmill.schemas.errors import RecipeErrors
from corpusmill.schemas.problems import HintedValueError
from tests.crawlers.loaders.reading import rows


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{title}\n\n{body}", "One\n\nTwo"),
        ("{title}\\n\\n{body}", "One\n\nTwo"),
        ("{title}\n\n{missing}\n\n{body}", "One\n\nTwo"),
        ("{{{title}}} {tags} {n} {author.name}", "{One} a, b 3 Ann"),
        ("{missing}{other}", None),
    ],
)
def test_a_template_puts_fields_together(template: str, text: str | None) -> None:
    """Missing fields are empty; a text is missing only if all fields are."""
    row: dict[str, Any] = {"title": "One", "body": "Two", "tags": ["a", "b"], "n": 3, "author": {"name": "Ann"}}
    parsed = template_of(template)
    assert parsed is not None

    assert parsed.render(row) == text


@pytest.mark.parametrize("template", ["{title", "title}", "{}", "{ }", "{title!r}", "{title:>10}", "{{no}}"])
def test_another_syntax_is_refused(template: str) -> None:
    """A typing error must not become a text."""
    with pytest.raises(HintedValueError):
        template_of(template)


def test_all_row_formats_take_templates(tmp_path: Path) -> None:
    """The same rows give the same documents in each format, and used fields are not repeated in the metadata."""
    (tmp_path / "a.jsonl").write_text('{"id": "1", "title": "T", "body": "B", "k": "v"}\n{"id": "2", "k": "v"}\n')
    (tmp_path / "a.csv").write_text("id,title,body,k\n1,T,B,v\n2,,,v\n")
    table = pa.table({"id": ["1", "2"], "title": ["T", None], "body": ["B", None], "k": ["v", "v"]})
    pq.write_table(table, tmp_path / "a.parquet")

    for kind, name in ((JsonLines, "a.jsonl"), (Csv, "a.csv"), (Parquet, "a.parquet")):
        first, second = rows(kind(text_field="{title}: {body}"), tmp_path / name)
        assert (first["source_id"], first["text"], first["title"], first["metadata"]) == ("1", "T: B", "T", {"k": "v"})
        assert (second["source_id"], second["rule"]) == ("2", "error.no_text")


def test_a_recipe_may_call_the_template_text(tmp_path: Path) -> None:
    """`text` is another name of `text_field`, but not beside it."""
    (tmp_path / "a.csv").write_text("id,title,body\n1,T,B\n")
    recipe = tmp_path / "r.yaml"
    source = (
        'dataset: d\nsources: [{load: {name: a, format: csv, path: a.csv, text: "{title}: {body}"%s}}]\nstages: []\n'
    )

    recipe.write_text(source % "")
    assert load_recipe(recipe, loaders=LOADERS).recipe.sources[0].text_field == "{title}: {body}"  # type: ignore[union-attr]
    for wrong, problem in (
        (source % ", text_field: body", "another name"),
        (source.replace("{body}", "{") % "", "`{`"),
    ):
        recipe.write_text(wrong)
        with pytest.raises(RecipeErrors, match=problem):
            load_recipe(recipe, loaders=LOADERS)


def test_chats_are_text_without_names(tmp_path: Path) -> None:
    """Roles stay, and names of people become numbers."""
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"id": "1", "messages": [{"role": "user", "content": "Hi"}, {"from": "Ann", "value": [{"text": "Yo"}]},'
        ' {"from": "Bob", "value": ""}, {"from": "Ann", "value": "Bye"}], "topic": "x"}\n{"id": "2", "messages": []}\n'
    )

    first, second = rows(JsonLines(messages_field="messages"), path)

    assert first["text"] == "user: Hi\n\nauthor 1: Yo\n\nauthor 1: Bye"
    assert first["metadata"] == {"topic": "x"}
    assert second["rule"] == "error.no_text"
    assert chat_text("no list") is None


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([{"from": "human", "value": "q"}, {"from": "chatgpt", "value": "a"}], "user: q\n\nassistant: a"),
        ([{"from": "Ann Lee", "text": ["see ", {"type": "link", "text": "x.org"}, " ok"]}], "author 1: see x.org ok"),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}], "user: a\nb"),
        ([{"content": "yo", "author": {"id": "9", "name": "Ann"}}, {"user": "U1", "text": "hi"}],
         "author 1: yo\n\nauthor 2: hi"),
        (["q", "a"], "q\n\na"),
        ({"role": "prompter", "text": "q", "replies": [
            {"role": "assistant", "text": "a", "replies": [{"role": "prompter", "text": "why"}]},
            {"role": "assistant", "text": "b"}]}, "user: q\n\nassistant: a\n\nuser: why\n\nassistant: b"),
    ],
)  # fmt: skip
def test_chats_of_many_exports_are_text(messages: Any, text: str) -> None:
    """ShareGPT, Telegram, OpenAI, Discord, Slack, UltraChat, OpenAssistant."""
    assert chat_text(messages) == text
