"""The Iceberg catalog of a workspace: an index of its versions for other tools, made from the manifests.

One table a data set, one snapshot a publication, tagged ``v-<n>-<version id>`` by its place in the history. The catalog
may be thrown away at any time: `rebuild` makes it again from what lies in ``versions/``.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow.parquet as pq

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.version import Version, version_in
from corpusmill.pipelines.workspace import Workspace

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table, Transaction

NAMESPACE: Final = "corpusmill"
_FOLDER: Final = "catalog"
_NAME_MAPPING: Final = "schema.name-mapping.default"
_PROPERTIES: Final = {"write.metadata.delete-after-commit.enabled": "true", "write.metadata.previous-versions-max": "5"}
"""Of the table's own description, which grows with each publication, only the last ones stay."""

_log = logging.getLogger(__name__)


def open_catalog(workspace: Workspace) -> SqlCatalog:
    """Open the catalog in the workspace's database; made when it is not there."""
    with _quiet():
        from pyiceberg.catalog.sql import SqlCatalog

        catalog = SqlCatalog(
            NAMESPACE,
            uri=f"sqlite:///{workspace.database.absolute()}",
            warehouse=f"file://{(workspace.root / _FOLDER).absolute()}",
        )
        catalog.create_namespace_if_not_exists(NAMESPACE)
    return catalog


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves what libraries below warn about: the user can do nothing about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def index_version(workspace: Workspace, version: Version) -> bool:
    """Add the publication of *version*; give False when the index could not be written.

    Versions on a store are not indexed: the catalog speaks of files on this machine.

    The manifest stays the truth, so a broken index is told and does not fail the run.
    """
    if version.store.path() is None:
        return True
    try:
        with _quiet(), contextlib.closing(open_catalog(workspace)) as catalog:
            _publish(catalog, version, number=len(publications.publications(version.path.parent)))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the index, the version is published
        _log.warning("the catalog could not be written: `corpusmill doctor --repair` makes it again (%s)", error)
        return False
    return True


def _publish(catalog: SqlCatalog, version: Version, *, number: int) -> None:
    """Make *version* the content of its table, in one commit: columns, files, snapshot and tag."""
    from pyiceberg.table.update.snapshot import ManageSnapshots

    paths = version.files("shard")
    schema = pq.read_schema(paths[0])
    tag = f"v-{number}-{version.manifest.version}"
    table = catalog.create_table_if_not_exists(
        (NAMESPACE, version.manifest.dataset), schema=schema, properties=_PROPERTIES
    )
    if tag in table.refs():
        return
    old = [task.file for task in table.scan().plan_files()]
    with table.transaction() as transaction:
        with transaction.update_schema() as update:
            update.union_by_name(schema)
        # Shards carry no field ids: their columns are found by name.
        names = transaction.table_metadata.schema().name_mapping.model_dump_json()
        transaction.set_properties({_NAME_MAPPING: names})
        _replace_files(table, transaction, old, paths)
        snapshot = transaction.table_metadata.current_snapshot_id
        assert snapshot is not None, "one was made above"
        with ManageSnapshots(transaction) as manage:
            manage.create_tag(snapshot, tag)


def _replace_files(table: Table, transaction: Transaction, old: list[DataFile], paths: list[Path]) -> None:
    from pyiceberg.io.pyarrow import parquet_file_to_data_file

    with transaction.update_snapshot().overwrite() as overwrite:
        for file in old:
            overwrite.delete_data_file(file)
        for path in paths:
            overwrite.append_data_file(parquet_file_to_data_file(table.io, transaction.table_metadata, str(path)))


def rebuild(workspace: Workspace) -> tuple[int, list[str]]:
    """Make the catalog again from the versions in the workspace; give the number of publications, and what failed.

    A damaged version is left out, so that the others can be found.
    """
    total, problems = 0, []
    with _quiet(), contextlib.closing(open_catalog(workspace)) as catalog:
        for identifier in catalog.list_tables(NAMESPACE):
            catalog.drop_table(identifier)
        shutil.rmtree(workspace.root / _FOLDER, ignore_errors=True)
        for folder, number in _publications(workspace):
            try:
                _publish(catalog, version_in(folder), number=number)
                total += 1
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one version, the others are indexed
                problems.append(f"{folder.parent.name}@{folder.name}: {error}")
    return total, problems


def _publications(workspace: Workspace) -> Iterator[tuple[Path, int]]:
    """Give the folder of each publication, and its place in the history of its data set."""
    for dataset in sorted(path for path in workspace.versions.glob("*") if path.is_dir()):
        for number, entry in enumerate(publications.publications(dataset), start=1):
            yield dataset / entry["version"], number
