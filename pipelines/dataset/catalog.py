"""The Iceberg catalog of a workspace: an index of its versions for other tools, built from the manifests.

Each data set has one table. Each publication is a snapshot with the tag ``v-<n>-<version id>``, where *n* is its number
in the history. The catalog can be deleted at any time: `rebuild` builds it from ``versions/``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sqlite3
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.storage import is_url, located

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table, Transaction

NAMESPACE: Final = "corpusmill"
_FOLDER: Final = "catalog"
_NAME_MAPPING: Final = "schema.name-mapping.default"
_PROPERTIES: Final = {"write.metadata.delete-after-commit.enabled": "true", "write.metadata.previous-versions-max": "5"}
"""Limits the old metadata files of a table: Iceberg writes a larger one for each publication."""

_log = logging.getLogger(__name__)


def open_catalog(workspace: Workspace) -> SqlCatalog:
    """Open the catalog in the workspace's database, and create it if it does not exist."""
    with _quiet():
        from pyiceberg.catalog.sql import SqlCatalog

        properties = {"uri": f"sqlite:///{workspace.database.absolute()}", "warehouse": _warehouse(workspace)}
        if workspace.store.path() is None:
            properties["py-io-impl"] = "pyiceberg.io.fsspec.FsspecFileIO"
        catalog = SqlCatalog(NAMESPACE, **properties)
        catalog.create_namespace_if_not_exists(NAMESPACE)
    return catalog


def _warehouse(workspace: Workspace) -> str:
    """Return the URL of the folder that holds the tables of *workspace*."""
    place = workspace.store.address(_FOLDER)
    return place if is_url(place) else f"file://{place}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings of libraries that the user can do nothing about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def index_version(workspace: Workspace, version: Version) -> bool:
    """Add the publication of *version* to the catalog; return False if the catalog could not be written.

    Nothing is written for ``memory://``, because other tools cannot read it.

    A table is rebuilt from the whole history if it lies elsewhere (the workspace was moved, or had another store) or is
    missing (another machine repaired the catalog of a shared store).

    An error is logged as a warning and does not fail the run, because the manifests hold everything.
    """
    if _is_in_memory(workspace):
        return True
    dataset = version.manifest.dataset
    number = len(publications.publications(workspace.dataset(dataset)))
    place = _description(workspace, dataset)
    tags = set[str]() if place is None else _tags(workspace, place)
    if tags is not None and _tag(version, number) in tags:
        return True
    problems: list[str] = []
    try:
        with _quiet(), contextlib.closing(open_catalog(workspace)) as catalog:
            if tags is None:
                catalog.drop_table((NAMESPACE, dataset))
                _, problems = _publish_history(catalog, workspace, dataset)
            else:
                _publish(catalog, version, number=number)
    except Exception as error:  # noqa: BLE001 - no error of the index may fail the run
        problems = [str(error)]
    for problem in problems:
        _log.warning("the catalog could not be written: rebuild it with `corpusmill doctor --repair` (%s)", problem)
    return not problems


def _is_in_memory(workspace: Workspace) -> bool:
    return workspace.store.url.startswith("memory://")


def _tag(version: Version, number: int) -> str:
    return f"v-{number}-{version.manifest.version}"


def _description(workspace: Workspace, dataset: str) -> str | None:
    """Return the address of the metadata file of a data set's table; None if the catalog has no such table.

    Reads the database directly, because importing pyiceberg takes half a second.
    """
    query = "SELECT metadata_location FROM iceberg_tables WHERE table_namespace = ? AND table_name = ?"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{workspace.database}?mode=ro", uri=True)) as connection:
            row = connection.execute(query, (NAMESPACE, dataset)).fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else str(row[0])


def _tags(workspace: Workspace, place: str) -> set[str] | None:
    """Return the tags of the table whose metadata file (JSON) is at *place*.

    The result is None if the file is missing or outside of the catalog of *workspace*, and empty if it is unreadable.
    """
    if not place.startswith(f"{_warehouse(workspace)}/"):
        return None
    try:
        store, key = located(place.removeprefix("file://"))
        return set(json.loads(store.read(key))["refs"])
    except FileNotFoundError:
        return None
    except (OSError, UnfinishedError, ValueError, TypeError, KeyError):
        return set()


def _publish(catalog: SqlCatalog, version: Version, *, number: int) -> None:
    """Make *version* the content of its table, in one commit: columns, files, snapshot and tag."""
    from pyiceberg.table.update.snapshot import ManageSnapshots

    files = version.stored("shard")
    with files[0].open() as file:
        schema = pq.read_schema(file)
    tag = _tag(version, number)
    table = catalog.create_table_if_not_exists(
        (NAMESPACE, version.manifest.dataset), schema=schema, properties=_PROPERTIES
    )
    if tag in table.refs():
        return
    old = [task.file for task in table.scan().plan_files()]
    with table.transaction() as transaction:
        _drop_retyped(transaction, schema)
        with transaction.update_schema() as update:
            update.union_by_name(schema)
        # Shards have no field ids, so columns are matched by name.
        names = json.loads(transaction.table_metadata.schema().name_mapping.model_dump_json())
        older = json.loads(table.properties.get(_NAME_MAPPING, "[]"))
        transaction.set_properties({_NAME_MAPPING: json.dumps(with_older_members(names, older))})
        _replace_files(table, transaction, old, [file.address for file in files])
        snapshot = transaction.table_metadata.current_snapshot_id
        assert snapshot is not None, "the overwrite above made a snapshot"
        with ManageSnapshots(transaction) as manage:
            manage.create_tag(snapshot, tag)


def _drop_retyped(transaction: Transaction, schema: pa.Schema) -> None:
    """Drop the columns of the table that have another type in *schema*; the caller adds them with the new type."""
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    known = schema_to_pyarrow(transaction.table_metadata.schema(), include_field_ids=False)
    types = {field.name: _plain_name(field.type) for field in known}
    retyped = [field.name for field in schema if types.get(field.name) not in (None, _plain_name(field.type))]
    if retyped:
        with transaction.update_schema(allow_incompatible_changes=True) as update:
            for name in retyped:
                update.delete_column(name)


def with_older_members(names: list[dict[str, Any]], older: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the name mapping *names* with members that columns had under the same name and another type.

    Without these members, pyiceberg cannot read the files of older snapshots; with them, the column is null there.

    >>> old = [{"names": ["a"], "field-id": 1, "fields": [{"names": ["key"], "field-id": 2}]}]
    >>> with_older_members([{"names": ["a"], "field-id": 3}], old)
    [{'names': ['a'], 'field-id': 3, 'fields': [{'names': ['key'], 'field-id': 2}]}]
    """
    known = {name: field.get("fields", []) for field in older for name in field["names"]}
    return [_with_members(field, known.get(field["names"][0], [])) for field in names]


def _with_members(field: dict[str, Any], members: list[dict[str, Any]]) -> dict[str, Any]:
    own = field.get("fields", [])
    present = {name for member in own for name in member["names"]}
    lacking = [member for member in members if present.isdisjoint(member["names"])]
    return {**field, "fields": [*own, *lacking]} if lacking else field


def _plain_name(kind: pa.DataType) -> str:
    """Return the name of a type without what Iceberg drops: the size of offsets and the name of list items.

    >>> _plain_name(pa.large_list(pa.field("element", pa.large_string())))
    'list<string>'
    """
    return re.sub(r"\blarge_|\b(item|element): ", "", str(kind))


def _replace_files(table: Table, transaction: Transaction, old: list[DataFile], places: list[str]) -> None:
    from pyiceberg.io.pyarrow import parquet_file_to_data_file

    with transaction.update_snapshot().overwrite() as overwrite:
        for file in old:
            overwrite.delete_data_file(file)
        for place in places:
            overwrite.append_data_file(parquet_file_to_data_file(table.io, transaction.table_metadata, place))


def rebuild(workspace: Workspace) -> tuple[int, list[str]]:
    """Rebuild the catalog from the versions in the workspace; return the number of publications and the errors.

    Damaged versions are skipped. A workspace in ``memory://`` has no catalog (see `index_version`).

    Raises:
        UnfinishedError: The database or the store cannot be written.
    """
    if _is_in_memory(workspace):
        return 0, []
    from sqlalchemy.exc import DBAPIError

    try:
        return _rebuild(workspace)
    except DBAPIError as error:
        hint = "change its owner or mode, then run `corpusmill doctor --repair` again"
        raise UnfinishedError(f"cannot write: {error.orig}", file=str(workspace.database), hint=hint) from error


def _rebuild(workspace: Workspace) -> tuple[int, list[str]]:
    total = 0
    problems: list[str] = []
    with _quiet(), contextlib.closing(open_catalog(workspace)) as catalog:
        for identifier in catalog.list_tables(NAMESPACE):
            catalog.drop_table(identifier)
        workspace.store.remove_folder(_FOLDER)
        for dataset in workspace.datasets():
            added, wrong = _publish_history(catalog, workspace, dataset)
            total += added
            problems += wrong
    return total, problems


def _publish_history(catalog: SqlCatalog, workspace: Workspace, dataset: str) -> tuple[int, list[str]]:
    """Add all publications of *dataset*, oldest first; return their number and the errors."""
    total, problems = 0, []
    store = workspace.dataset(dataset)
    for number, entry in enumerate(publications.publications(store), start=1):
        try:
            _publish(catalog, version_in(store.below(entry["version"])), number=number)
            total += 1
        except Exception as error:  # noqa: BLE001 - one bad version must not hide the others
            problems.append(f"{dataset}@{entry['version']}: {error}")
    return total, problems
