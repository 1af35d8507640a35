"""The samples of the templates: they are recognized, and their formats read documents from them."""

from __future__ import annotations

import bz2
import gzip
import io
import py_compile
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard

from corpusmill.crawlers.load import load, loader_of
from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.projects.beginnings import begins_as
from corpusmill.pipelines.projects.init import init
from corpusmill.pipelines.projects.sniff import look
from corpusmill.pipelines.recipes.reading import load_recipe
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.recipe import LoadSource
from tests.pipelines.projects.test_init import FORMATS
from tests.test_promises import run_once

TEMPLATE = Path(__file__).resolve().parents[3] / "pipelines/projects/templates/code/repository"
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


@pytest.mark.parametrize("template", FORMATS)
def test_a_template_runs_on_its_sample_and_then_on_other_data(tmp_path: Path, template: str) -> None:
    """For the real data, a user changes `path` in the recipe that has run, and nothing else."""
    recipe = init(tmp_path / "project", template=template, loaders=LOADERS).recipe
    (source,) = load_recipe(recipe, loaders=LOADERS).recipe.sources
    assert isinstance(source, LoadSource)
    _, first = run_once(recipe, tmp_path / "corpus")
    shutil.copytree(recipe.parent / str(source.path).partition("/")[0], tmp_path / "real")

    real = tmp_path / "real" / str(source.path).partition("/")[2]
    recipe.write_text(recipe.read_text().replace(f"path: {source.path}", f"path: {real}"))
    _, second = run_once(recipe, tmp_path / "corpus")

    assert first.counts.published >= DOCUMENTS[template]
    assert (second.counts.published, second.counts.ledger) == (first.counts.published, 0)
    registered = Workspace(tmp_path / "corpus").raw_manifest(source.name)
    assert registered is not None
    assert registered.definition["path"] == str(real)


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
        ("wet", b"WARC/1.0\r\nWARC-Type: warcinfo\r\n\r\n\r\n\r\nWARC/1.0\r\nWARC-Type: conversion\r\n"),
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


def test_a_template_with_compiled_code_is_written(tmp_path: Path) -> None:
    """pip compiles every file ending in .py that a wheel has, also those of templates."""
    (source,) = TEMPLATE.glob("*.py")
    py_compile.compile(str(source))

    written = init(tmp_path / "project", template="code", loaders=LOADERS).written

    assert not [path for path in written if "__pycache__" in str(path)]


def packed(data: bytes) -> bytes:
    """Compress *data* with the window of the dumps of Reddit."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=31)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(data) + compressor.flush()


FEED = '{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "content_text": "Rain."}]}'
WET = "WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 4\r\n\r\nRain\r\n\r\n"
MAIL = "From ann at example.org Thu Jan  1 00:00:00 2004\nSubject: x\n\nRain.\n"
JATS = '<article article-type="research-article"><body><p>Rain.</p></body></article>'
WIKI = "<mediawiki><page><title>Weir</title></page></mediawiki>"


@pytest.mark.parametrize(
    ("name", "data", "form", "note"),
    [
        ("feed.json", FEED.encode(), "feed", None),
        ("a.warc.wet", WET.encode(), "wet", None),
        ("2004-January.txt", MAIL.encode(), "mbox", None),
        ("notes.txt", b"The element <rss> begins a feed, and MSH| a message.", "text", None),
        ("wiki.xml.bz2", bz2.compress(WIKI.encode("utf-16")), "wikipedia", None),
        ("metadata.yaml", b"title: The Project Gutenberg eBook", None, "a catalog of Project Gutenberg"),
        ("pg972.rdf", b'<rdf:RDF xmlns:x="http://purl.org/rss/1.0/">', None, "a catalog of Project Gutenberg"),
        ("sitemap.xml", b"<urlset><url><loc>http://example.org/</loc></url></urlset>", None, "a sitemap; crawl"),
        ("a.warc.wat.gz", b"", "warc", None),
        ("RC_2010-01.zst", packed(b'{"id":"a","subreddit":"x","body":"b"}\n'), "reddit", None),
        ("b.zip", zipped(("a.jpg", b"x")), None, "no loader reads this format; name the files in the archive"),
    ],
)
def test_a_file_whose_name_does_not_say_enough(
    tmp_path: Path, name: str, data: bytes, form: str | None, note: str | None
) -> None:
    """Names such as `.txt`, `.json` and `.xml` are those of many formats, and some files belong to others."""
    (tmp_path / name).write_bytes(data)

    (finding,) = look(tmp_path, loaders=LOADERS)

    assert finding.format == form
    assert (finding.note or "")[: len(note or "")] == (note or "")


def test_a_file_of_posts_with_the_site_before_its_name_is_found_again(tmp_path: Path) -> None:
    """The pattern in the recipe must match the file for which it was written."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tea.stackexchange.com-Posts.xml").write_text("<posts> <row Id='1' Body='Rain' /></posts>")

    recipe = init(tmp_path / "project", source=tmp_path / "data", loaders=LOADERS).recipe

    (source,) = load_recipe(recipe, loaders=LOADERS).recipe.sources
    assert isinstance(source, LoadSource)
    assert len(load(source, tmp_path / "raw", base=recipe.parent).files) == 1


def test_files_in_archives_are_recognized(tmp_path: Path) -> None:
    """Each kind of member becomes a source, whose pattern leads into the archive."""
    data = tmp_path / "data"
    data.mkdir()
    rows = b"id,title,body\n1,Rain,It rained on the mill.\n2,Sun,The sun shone on the weir.\n"
    (data / "a.zip").write_bytes(
        zipped(("a/x.txt", b"Rain."), ("a/y.txt", b"Sun."), ("M/._x.txt", b"x"), ("b/t.csv.gz", gzip.compress(rows)))
    )
    for name, mode in (("b.tar.bz2", "w:bz2"), ("c.tar.zst", "w")):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode) as archive:
            member = tarfile.TarInfo("deep/feed.json")
            member.size = len(FEED)
            archive.addfile(member, io.BytesIO(FEED.encode()))
        (data / name).write_bytes(packed(buffer.getvalue()) if name.endswith(".zst") else buffer.getvalue())

    started = init(tmp_path / "project", source=data, loaders=LOADERS)

    sources = load_recipe(started.recipe, loaders=LOADERS).recipe.sources
    found = {
        (source.format, source.text_field): load(source, tmp_path / source.name, base=started.recipe.parent).files
        for source in sources
        if isinstance(source, LoadSource)
    }
    assert {key: len(files) for key, files in found.items()} == {
        ("text", None): 2,
        ("csv", "body"): 1,
        ("feed", None): 2,
    }


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz", "a.tar.zst"])
@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut", b"\x1f\x8b cut", b"no archive"])
def test_damaged_archives_are_left_out(tmp_path: Path, name: str, data: bytes) -> None:
    """A folder with one still gets a recipe for the rest."""
    (tmp_path / name).write_bytes(data)

    (finding,) = look(tmp_path, loaders=LOADERS)

    assert finding.format is None


def test_folders_that_are_read_as_one_are_found_among_others(tmp_path: Path) -> None:
    """A bare repository has thousands of files that nobody wants to read, a saved dataset has state in JSON."""
    data = tmp_path / "data"
    init(tmp_path / "project", template="code", loaders=LOADERS)
    clone = ["git", "clone", "-q", "--bare", str(tmp_path / "project" / "repository"), str(data / "x.git")]
    subprocess.run(clone, check=True)
    saved = data / "saved" / "train"
    saved.mkdir(parents=True)
    (data / "saved" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    (saved / "state.json").write_text('{"_data_files": [{"filename": "data-0.arrow"}]}')
    table = pa.table({"key": [1, 2], "body": ["It rained.", "It shone."]})
    with pa.ipc.new_stream(saved / "data-0.arrow", table.schema) as writer:
        writer.write_table(table)
    (data / "a.txt").write_text("Words.")

    recipe = init(tmp_path / "new", source=data, loaders=LOADERS).recipe

    sources = load_recipe(recipe, loaders=LOADERS).recipe.sources
    found = {(each.format, each.text_field, each.path) for each in sources if isinstance(each, LoadSource)}
    assert found == {
        ("git", None, str(data / "x.git")),
        ("huggingface", "body", str(data / "saved")),
        ("text", None, f"{data}/**/*.txt"),
    }


def test_many_files_beside_another_format_have_a_pattern_by_folder(tmp_path: Path) -> None:
    """One feed among 5,000 papers once gave a recipe with 5,000 paths."""
    for name, text in {"papers/a.xml": JATS, "papers/b.xml": JATS, "mix/c.xml": JATS, "mix/d.xml": "<rss/>"}.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    recipe = init(tmp_path / "new", source=tmp_path / "data", loaders=LOADERS).recipe

    sources = load_recipe(recipe, loaders=LOADERS).recipe.sources
    paths = {each.format: each.paths for each in sources if isinstance(each, LoadSource)}
    top = tmp_path / "data"
    assert paths == {"jats": (f"{top}/mix/c.xml", f"{top}/papers/*.xml"), "feed": (f"{top}/mix/d.xml",)}
