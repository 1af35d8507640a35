"""The samples of the templates: they are recognized, and their formats read documents from them."""

from __future__ import annotations

import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from corpusmill.crawlers.load import load, loader_of
from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.projects.beginnings import begins_as
from corpusmill.pipelines.projects.init import init
from corpusmill.pipelines.projects.sniff import look
from corpusmill.pipelines.recipes.reading import load_recipe
from corpusmill.schemas.recipe import LoadSource
from tests.pipelines.projects.test_init import FORMATS

DOCUMENTS = {"wikipedia": 2, "news": 2, "papers": 1, "medical": 2, "books": 1, "forum": 2, "code": 2}
"""The least number of documents in the sample of each template."""


@pytest.mark.parametrize("template", FORMATS)
def test_the_sample_of_a_template_has_documents(tmp_path: Path, template: str) -> None:
    """A user sees the format at work before the real data is there."""
    form = FORMATS[template]
    if form not in LOADERS:
        pytest.skip(f"the format {form} is not built yet")
    recipe = init(tmp_path / "project", template=template, loaders=LOADERS).recipe

    (source,) = load_recipe(recipe, loaders=LOADERS).recipe.sources
    assert isinstance(source, LoadSource)
    manifest = load(source, tmp_path / "raw", base=recipe.parent)

    loader = loader_of(source)
    rules = [
        rule
        for file in manifest.files
        for batch in loader.read(str(tmp_path / "raw" / file.path), name=file.name)
        for rule in batch["rule"].to_pylist()
    ]
    assert rules.count(None) >= DOCUMENTS[template]


@pytest.mark.parametrize("template", [name for name in FORMATS if name != "code"])
def test_the_sample_of_a_template_is_recognized(tmp_path: Path, template: str) -> None:
    """`init --from` asks for the first bytes where a suffix is not enough."""
    form = FORMATS[template]
    recipe = init(tmp_path / "project", template=template, loaders=LOADERS).recipe
    (sample,) = (recipe.parent / "data").iterdir()

    others = {name for name in FORMATS.values() if begins_as(name, sample.read_bytes())}

    assert others == {form}
    if form in LOADERS:
        assert [finding.format for finding in look(sample, loaders=LOADERS)] == [form]


def test_a_repository_is_recognized_without_and_with_a_work_tree(tmp_path: Path) -> None:
    """A folder of documents under version control stays a folder of documents."""
    project = tmp_path / "project"
    init(project, template="code", loaders=LOADERS)
    tree = project / "repository"
    subprocess.run(["git", "clone", "-q", "--bare", str(tree), str(tmp_path / "x.git")], check=True)
    subprocess.run(["git", "-C", str(tree), "bundle", "create", "-q", str(tmp_path / "x.bundle"), "HEAD"], check=True)

    for number, place in enumerate([tree, tmp_path / "x.git", tmp_path / "x.bundle"]):
        recipe = init(tmp_path / str(number), source=place, loaders=LOADERS).recipe

        (source,) = load_recipe(recipe, loaders=LOADERS).recipe.sources
        assert isinstance(source, LoadSource)
        assert source.format == "git"
        assert load(source, tmp_path / str(number) / "raw", base=recipe.parent).files

    for name in ("a.md", "b.md"):
        (tree / name).write_text("# Words")
    assert {finding.format for finding in look(tree, loaders=LOADERS)} == {"markdown", None}


def zipped(*members: tuple[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("medline", b"<?xml version='1.0'?><!DOCTYPE PubmedArticleSet><PubmedArticleSet>"),
        ("medline", b"<!DOCTYPE PubmedArticleSet PUBLIC '-//NLM//DTD PubMedArticle//EN'><PubmedArticleSet>"),
        ("jats", b"<!DOCTYPE article PUBLIC '-//NLM//DTD JATS v1.2//EN' 'x.dtd'>\n<article>"),
        ("tei", b'<?xml version="1.0"?><TEI xmlns="http://www.tei-c.org/ns/1.0">'),
        ("reuters", b'<!DOCTYPE lewis SYSTEM "lewis.dtd">\n<REUTERS TOPICS="YES">'),
        ("mbox", b"From ann@example.org Thu Jan  1 00:00:00 2004\nSubject: x\n"),
        ("hl7", b"MSH|^~\\&|LAB|"),
        ("fhir", b'{\n "resourceType": "Bundle",'),
        ("feed", b'<feed xmlns="http://www.w3.org/2005/Atom">'),
        ("notebook", b'{"cells": [{"cell_type": "code"'),
        ("arxiv", b"% a paper\n\\documentclass{article}"),
        ("pdf", b"%PDF-1.7\n"),
        ("reddit", b'{"id":"a","subreddit":"x","body":"b"}'),
        ("epub", zipped(("mimetype", b"application/epub+zip"))),
        ("odt", zipped(("mimetype", b"application/vnd.oasis.opendocument.text"))),
        ("docx", zipped(("[Content_Types].xml", b""), ("word/document.xml", b""))),
    ],
)
def test_each_format_is_recognized_by_its_beginning_only(name: str, head: bytes) -> None:
    """No beginning belongs to two formats."""
    from corpusmill.pipelines.projects.beginnings import _PATTERNS

    assert [each for each in _PATTERNS if begins_as(each, head)] == [name]
