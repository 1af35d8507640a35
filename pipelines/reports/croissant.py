"""Describe a version in Croissant 1.1 (MLCommons): files with their hashes, records with their fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.pipelines.reports.card import is_identifier, languages, license_names
from corpusmill.pipelines.reports.statistics import read_manifest, stage_of
from corpusmill.pipelines.reports.wording import count, plural, size
from corpusmill.schemas.document import SPLITS, TIMESTAMP
from corpusmill.schemas.manifest import ShardFile, SideFile, VersionManifest

SPECIFICATION: Final = "http://mlcommons.org/croissant/1.1"
FILE: Final = "croissant.json"
_PARQUET: Final = ["application/vnd.apache.parquet", "application/x-parquet"]
"""The registered media type, and the one that Croissant readers support."""
_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The JSON-LD context of the Croissant specification."""
_TYPES: Final = {
    pa.string(): "sc:Text",
    pa.bool_(): "sc:Boolean",
    pa.int32(): "cr:Int32",
    pa.int64(): "cr:Int64",
    pa.float32(): "cr:Float32",
    pa.float64(): "cr:Float64",
    pa.date32(): "sc:Date",
    TIMESTAMP: "sc:DateTime",
}
_ABOUT: Final = {
    "documents": "Published documents.",
    "ledger": "Records that are not published, each with the rule that rejected it.",
    "signals": "Numbers measured on each document.",
    "origin": "File and position of each record.",
}


def write_croissant(figures: dict[str, Any], folder: Path) -> None:
    """Write the description of the version in *folder*, from *figures* (the result of `statistics`)."""
    described = croissant(figures, read_manifest(folder), folder)
    (folder / FILE).write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def croissant(figures: dict[str, Any], manifest: VersionManifest, folder: Path) -> dict[str, Any]:
    """Return the description as JSON-LD. Reads the schemas of the files, not their rows."""
    groups = dict(_groups(manifest))
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": SPECIFICATION,
        "name": manifest.dataset,
        "description": _description(figures),
        "version": f"1.0.0+{manifest.version}",
        "identifier": f"{manifest.dataset}@{manifest.version}",
        "datePublished": manifest.created_at.date().isoformat(),
        "license": [_license_url(name) for name in license_names(figures)] or ["https://spdx.org/licenses/NOASSERTION"],
        "inLanguage": languages(figures),
        "citeAs": f"@misc{{{manifest.dataset}-{manifest.version}, title={{{manifest.dataset}}}, "
        f"year={{{manifest.created_at.year}}}, note={{version {manifest.version}, made with corpusmill}}}}",
        "isLiveDataset": False,
        "distribution": [
            *(_file_object(file) for files in groups.values() for file in files),
            *(_file_set(name, files) for name, files in groups.items()),
        ],
        "recordSet": [
            _splits(),
            *(_record_set(name, pq.read_schema(folder / files[0].path)) for name, files in groups.items()),
        ],
    }


def _groups(manifest: VersionManifest) -> Iterator[tuple[str, list[ShardFile | SideFile]]]:
    """Yield the name of each record set with the files that hold its rows."""
    if manifest.files:
        yield "documents", list(manifest.files)
    for kind in ("ledger", "signals", "origin"):
        files: list[ShardFile | SideFile] = [side for side in manifest.side_files if side.kind == kind]
        if files:
            yield kind, files
    for table, of_table in manifest.side_tables().items():
        yield table, list(of_table)


def _description(figures: dict[str, Any]) -> str:
    sizes = figures["sizes"]
    return (
        f"{plural(sizes['documents'], 'document')} with {size(sizes['text_bytes'])} of text from "
        f"{plural(sizes['sources'], 'source')}; {count(sizes['ledger'])} of {count(sizes['read'])} records are "
        "not published; the ledger has the reason for each. The field `license` has the license of each document."
    )


def _license_url(name: str) -> str:
    """Return the URL of an SPDX identifier; an expression or a `LicenseRef-` is returned unchanged."""
    return f"https://spdx.org/licenses/{name}.html" if is_identifier(name) else name


def _file_object(file: ShardFile | SideFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "description": f"{plural(file.rows, 'row')}.",
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": _PARQUET,
        "sha256": file.sha256,
    }


def _file_set(name: str, files: list[ShardFile | SideFile]) -> dict[str, Any]:
    patterns = sorted({f"{file.split if isinstance(file, ShardFile) else file.kind}-*.parquet" for file in files})
    return {
        "@type": "cr:FileSet",
        "@id": f"{name}-files",
        "name": f"{name}-files",
        "description": f"All files of the record set {name}.",
        "encodingFormat": _PARQUET,
        "includes": patterns,
    }


def _splits() -> dict[str, Any]:
    """Return the record set of the splits, in the form that the specification requires."""
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits for training, validation and test.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [{"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"}],
        "data": [{"splits/name": name} for name in SPLITS],
    }


def _record_set(name: str, schema: pa.Schema) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": _ABOUT.get(name) or f"Rows of the stage {stage_of(name)}; join by id.",
        **({"key": {"@id": f"{name}/id"}} if name in ("documents", "signals") else {}),
        "field": [_field(name, column) for column in schema if _is_describable(column.type)],
    }


def _field(record_set: str, column: pa.Field) -> dict[str, Any]:
    """Describe a column: a list as an array, and a struct with a field for each member."""
    field: dict[str, Any] = {"@type": "cr:Field", "@id": f"{record_set}/{column.name}", "name": column.name}
    source = {"fileSet": {"@id": f"{record_set}-files"}, "extract": {"column": column.name}}
    if pa.types.is_list(column.type):
        field |= {"isArray": True, "arrayShape": "-1"}
    kind = _item(column.type)
    if pa.types.is_struct(kind):
        field["subField"] = [_member(field["@id"], member, source) for member in kind]
    else:
        field |= {"dataType": _TYPES[kind], "source": source}
    if (record_set, column.name) == ("documents", "split"):
        field["references"] = {"field": {"@id": "splits/name"}}
    return field


def _item(kind: pa.DataType) -> pa.DataType:
    """Return the type of the items of a list; any other type is returned unchanged."""
    return kind.value_type if pa.types.is_list(kind) else kind


def _is_describable(kind: pa.DataType) -> bool:
    """Return whether Croissant can describe the type: a value, a struct, or a list of either; not a map."""
    item = _item(kind)
    return item in _TYPES or (pa.types.is_struct(item) and all(member.type in _TYPES for member in item))


def _member(parent: str, member: pa.Field, source: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{parent}/{member.name}",
        "name": member.name,
        "dataType": _TYPES[member.type],
        "source": source | {"transform": {"jsonPath": member.name}},
    }
