"""The first step: what a source holds besides documents is counted while it is read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import corpusmill
from corpusmill.schemas.raw import RawManifest
from tests.crawlers.loaders.test_warc import record, response

RECIPE = """
dataset: pages
sources:
  - load: {name: archive, format: warc, path: "*.warc.gz"}
stages:
  - extract
"""


def test_records_that_are_not_documents_are_counted_in_the_version(tmp_path: Path) -> None:
    """Counting them while they are read saves decompressing every archive a second time."""
    page = b"<html><body><p>" + b"The harbour wall was built in the year of the flood. " * 9 + b"</p></body></html>"
    archive = [record(b"GET /", kind="request"), response(page), response(page, status=b"301 Moved")]
    (tmp_path / "one.warc.gz").write_bytes(b"".join(map(gzip.compress, archive)))
    (tmp_path / "two.warc.gz").write_bytes(b"".join(map(gzip.compress, archive[:1] * 3)))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)

    results = [corpusmill.run(recipe, workspace=tmp_path / "corpus", workers=0) for _ in range(2)]

    assert [result["counts"]["read"] for result in results] == [1, 1]
    for result in results:
        (source,) = json.loads((Path(result["path"]) / "manifest.json").read_bytes())["inputs"]
        assert source["counts"] == {"records.redirect": 1, "records.request": 4}
    raw = RawManifest.model_validate_json((tmp_path / "corpus" / "raw" / "archive" / "manifest.json").read_bytes())
    assert raw.counts == {}
