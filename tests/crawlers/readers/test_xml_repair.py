"""Repairs of XML: what a parser would refuse becomes text, and what is XML stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from corpusmill.crawlers.readers.xml_repair import repaired


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<a>R&D</a>", "R&D"),
        ("<a>one&nbsp;two&eacute;</a>", "one\xa0twoé"),
        ("<a>&amp;amp; &lt; &#233; &#xE9;</a>", "&amp; < é é"),
        ("<a>&#0;&#8;&#xFFFF;&#xD800;\x0b\x00x</a>", "x"),
        ("<a>&bogus; &;  &#;</a>", "&bogus; &;  &#;"),
        ("<a><![CDATA[R&D &nbsp; <b>]]></a>", "R&D &nbsp; <b>"),
        ("<a><!-- R&D -->x</a>", "x"),
        ("<?xml version='1.0' encoding='utf-16'?><a>é</a>", "é"),
        ("\ufeff<a>é</a>", "é"),
    ],
)
def test_texts_are_what_the_writer_meant(markup: str, text: str) -> None:
    assert "".join(etree.fromstring(repaired(markup.encode())).itertext()) == text


def test_the_declared_encoding_is_read() -> None:
    markup = "<?xml version='1.0' encoding='windows-1251'?><a>Новости дня</a>".encode("windows-1251")

    assert repaired(markup).decode() == "<a>Новости дня</a>"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
def test_no_text_between_tags_is_refused_by_a_parser(text: str) -> None:
    # A short text with zeros can be UTF-16 as well.
    repaired_markup = repaired(f"<a>{text.replace('<', '')}</a>".encode())

    assert etree.fromstring(repaired_markup.replace(b"]]>", b"")).tag == "a"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=60))
def test_valid_markup_keeps_its_text(text: str) -> None:
    element = etree.Element("a")
    element.text = text.replace("\x7f", "")

    assert etree.fromstring(repaired(etree.tostring(element, encoding="utf-8"))).text == (element.text or None)
