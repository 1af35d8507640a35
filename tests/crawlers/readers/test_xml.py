"""Records cut out of XML, and documents of unknown hands."""

from __future__ import annotations

import io
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.readers import xml
from corpusmill.crawlers.readers.xml import elements, local_name, parsed
from corpusmill.schemas.errors import DataError


class Dripping(io.BytesIO):
    """A stream that returns few bytes at a time, so that tokens lie across reads."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 7, 7))


def cut(data: bytes, **options: int) -> list[bytes | None]:
    found = [element.data for element in elements(io.BytesIO(data), "b", **options)]
    assert found == [element.data for element in elements(Dripping(data), "b", **options)]
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<a><b>1</b> <bb>x</bb><b\n/><b >2</b ></a>", [b"<b>1</b>", b"<b\n/>", b"<b >2</b >"]),
        (b"<b x='>' y=\"/>\">1</b><b x='>'/>", [b"<b x='>' y=\"/>\">1</b>", b"<b x='>'/>"]),
        (b"<b><!-- </b> <b> -->1</b>", [b"<b><!-- </b> <b> -->1</b>"]),
        (b"<b><![CDATA[</b><b>]]></b>", [b"<b><![CDATA[</b><b>]]></b>"]),
        (b"<!-- <b>no</b> --><b>1</b><![CDATA[<b>no</b>]]>", [b"<b>1</b>"]),
        (b"<b>1<b>2</b>", [b"<b>1", b"<b>2</b>"]),
        (b"<b>1 <!-- without end</b><b>2</b>", [b"<b>1 <!-- without end</b>", b"<b>2</b>"]),
        (b"</b><b>1</b>", [b"<b>1</b>"]),
        (b"", []),
    ],
)
def test_elements_are_cut_by_their_tags(data: bytes, expected: list[bytes]) -> None:
    """Also if attributes, comments or CDATA contain the tag, and wherever a read ends."""
    assert cut(data) == expected


def test_the_last_element_may_be_cut_off() -> None:
    """What is complete is returned first."""
    found = elements(io.BytesIO(b"<b>1</b><b>2"), "b")

    assert next(found).data == b"<b>1</b>"
    with pytest.raises(DataError, match="ends within a record") as error:
        next(found)
    assert error.value.rule == "error.truncated"


def test_an_element_that_is_too_large_has_no_data_and_its_neighbors_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by the limit, not by the file."""
    monkeypatch.setattr(xml, "_READ_BYTES", 50)

    assert cut(b"<b>1</b><b>" + b"x" * 5000 + b"</b><b>2</b>", max_bytes=1000) == [b"<b>1</b>", None, b"<b>2</b>"]


@given(st.lists(st.binary(max_size=20).map(lambda data: data.replace(b"<", b"")), max_size=8), st.data())
def test_slices_contain_every_element_once(bodies: list[bytes], data: st.DataObject) -> None:
    """An element belongs to the slice in which it begins."""
    whole = b"".join(b"<b>" + body + b"</b>" for body in bodies)
    cuts = sorted({0, len(whole), *data.draw(st.lists(st.integers(0, len(whole)), max_size=3))})
    found = []
    for start, end in pairwise(cuts):
        stream = io.BytesIO(whole)
        stream.seek(start)
        found += [(each.offset, each.data) for each in elements(stream, "b", start=start, end=end)]

    assert found == [(each.offset, each.data) for each in elements(io.BytesIO(whole), "b")]
    assert len(found) == len(bodies)


@pytest.mark.parametrize("piece", [b"<b", b"<!--", b"<b '", b"<![CDATA[", b"<b>", b"</b", b"<b>]]>"])
def test_hostile_bytes_take_linear_time(piece: bytes) -> None:
    """Beginnings without an end are not searched again and again."""
    begin = time.process_time()
    with pytest.raises(DataError, match="ends within"):
        list(elements(io.BytesIO(b"<b>" + piece * 100_000), "b"))

    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"<a><b></a>", "error.not_xml"),
        (b"", "error.not_xml"),
        (b"no markup", "error.not_xml"),
        (b"<a>" * 100_000, "error.not_xml"),
        (b"<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "error.entities"),
        (b"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>", "error.entities"),
        (
            "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE a [<!ENTITY e 'x'>]><a/>".encode("utf-16"),
            "error.entities",
        ),
        (b"<!-- " + b" " * 70_000 + b"--><!DOCTYPE a [<!ENTITY e 'x'>]><a/>", "error.entities"),
        (b"<a>" + b" " * 200 + b"</a>", "error.too_large"),
    ],
)
def test_a_document_that_cannot_be_used_has_a_rule(data: bytes, rule: str) -> None:
    """Bombs and external entities are refused before they cost anything."""
    with pytest.raises(DataError) as error:
        parsed(data, max_bytes=100 if rule.endswith("too_large") else xml.MAX_RECORD_BYTES)
    assert error.value.rule == rule


def test_a_document_keeps_its_characters() -> None:
    """The five entities of XML and numbered characters are resolved, and a DOCTYPE alone is no reason to refuse."""
    root = parsed(b"<!DOCTYPE a PUBLIC 'p' 's.dtd'><a xmlns='urn:x'>&lt;&#233;&amp;<!-- c --></a>")

    assert (local_name(root), root.text, local_name(root[0])) == ("a", "<é&", "")
