"""The text of a chapter of an EPUB: XHTML without marks of pages, contents, readings of ruby, and notes by choice."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from corpusmill.crawlers.readers.blocks import letters
from corpusmill.crawlers.readers.html_text import plain_text, tree_text
from corpusmill.crawlers.readers.mathml import tex_of
from corpusmill.crawlers.readers.xml import MAX_RECORD_BYTES, local_name, parsed
from corpusmill.crawlers.readers.xml_repair import repaired
from corpusmill.schemas.decoding.pages import decode
from corpusmill.schemas.errors import DataError

_NAMED: Final = re.compile(rb"&(?!#|amp;|lt;|gt;|quot;|apos;)")
_OUT: Final = frozenset("toc landmarks page-list pagebreak cover loi lot".split())
"""Values of `epub:type` of what is not read: contents, covers, numbers of pages."""
_OUT_ROLES: Final = frozenset("doc-toc doc-pagebreak doc-pagelist doc-cover".split())
_PAGE_CLASSES: Final = frozenset("pagenum pageno page-number pagenumber pg-boilerplate pgheader pgfooter".split())
_DTBOOK_OUT: Final = frozenset(("pagenum", "prodnote"))
_DTBOOK_SECTIONS: Final = "book frontmatter bodymatter rearmatter level level1 level2 level3 level4 level5 level6"
_DTBOOK: Final = {
    **{"doctitle": "h1", "covertitle": "h1", "docauthor": "p", "list": "ul", "linegroup": "section", "line": "div"},
    **dict.fromkeys(_DTBOOK_SECTIONS.split(), "section"),
}
"""Elements of DTBook, by those of HTML that stand for the same."""
_TYPE: Final = "{http://www.idpf.org/2007/ops}type"
_NOTES: Final = frozenset("footnote footnotes endnote endnotes rearnote rearnotes".split())
_NOTE_ROLES: Final = frozenset("doc-footnote doc-endnote doc-endnotes".split())
_BACKLINK_ROLES: Final = frozenset(("doc-backlink",))
_OTHER_CHAPTER: Final = re.compile(r"(?!\w+:)[^#]+\.x?html?(?:#|$)", re.IGNORECASE)
_MIN_LINKS: Final = 3
_MIN_LINKED: Final = 0.8
"""Share of a chapter's characters that are in links to other chapters, from which on it is a table of contents."""
_NOT_IN_XML: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NUMBER: Final = re.compile(r"\s*[\[(]?\s*(\d{1,4}|[*†‡§¶]{1,3}|[a-z]|[ivxlc]{1,6})\s*[\])]?\s*")
_BODY: Final = re.compile(r"<body[\s>]", re.IGNORECASE)


def chapter_text(data: bytes, *, notes: bool) -> str:
    """Return the text of the chapter *data*, with its notes and the marks that refer to them if *notes*.

    >>> chapter_text(b"<html><body><p>Word<sup><a href='#n'>1</a></sup>.<rp/></p></body></html>", notes=True)
    'Word[1].'
    """
    root = _tree(data)
    if root is None:
        markup = decode(data, "text/html")
        body = _BODY.search(markup)
        return letters(plain_text(markup[body.start() :] if body else markup))
    if root.tag == "dtbook":
        _translate(root)
    _simplify(root, notes=notes)
    if _is_contents(root):
        return ""
    return letters(tree_text(root))


def first_heading(data: bytes) -> str | None:
    """Return the first heading of the chapter *data*."""
    root = _tree(data)
    if root is not None:
        for node in root.iter():
            if local_name(node) in {"h1", "h2"} and (words := " ".join("".join(node.itertext()).split())):
                return words
    return None


def _tree(data: bytes) -> etree._Element | None:
    """Return the tree of *data*, read as XML, else as HTML; None if it is nested too deeply."""
    root: etree._Element | None
    try:
        root = parsed(repaired(data) if _NAMED.search(data) else data.lstrip())
    except DataError as error:
        if error.kind == "too_large":
            raise
        markup = re.sub(r"\A\s*<\?xml[^>]*\?>", "", _NOT_IN_XML.sub("", decode(data, "text/html")), count=1)
        parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
        root = (
            etree.fromstring(markup.encode("utf-8", "replace")[:MAX_RECORD_BYTES], parser) if markup.strip() else None
        )
        if root is None or any("depth" in entry.message for entry in parser.error_log):
            return None
    etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction)
    for node in root.iter(etree.Element):
        if (name := local_name(node).lower()) and name != node.tag:
            node.tag = name
    return root


def _is_contents(root: etree._Element) -> bool:
    """Return whether the chapter is nothing but links to others: a table of contents that does not say so."""
    body = root.find("body")
    links = [node for node in root.iter("a") if _OTHER_CHAPTER.match(node.get("href") or "")]
    if len(links) < _MIN_LINKS or body is None:
        return False
    linked = sum(len("".join("".join(node.itertext()).split())) for node in links)
    return linked >= _MIN_LINKED * len("".join("".join(body.itertext()).split()))


def _translate(root: etree._Element) -> None:
    """Give the elements of a book in DTBook the names of HTML, with notes and their marks as EPUB marks them."""
    for node in list(root.iter(etree.Element)):
        if node.tag in _DTBOOK_OUT:
            _replace(node, "")
        elif node.tag == "note":
            node.tag = "aside"
            node.set(_TYPE, "footnote")
        elif node.tag == "noteref":
            node.tag = "a"
            node.set(_TYPE, "noteref")
        else:
            node.tag = _DTBOOK.get(str(node.tag), node.tag)


def _simplify(root: etree._Element, *, notes: bool) -> None:
    """Remove from *root* what is not read, and replace formulas and references to notes by words."""
    for node in list(root.iter(etree.Element)):
        parent = node.getparent()
        if parent is None or not isinstance(node.tag, str):
            continue
        types, roles = _types(node), frozenset((node.get("role") or "").split())
        if (
            types & _OUT
            or roles & _OUT_ROLES
            or node.tag == "rtc"
            or _PAGE_CLASSES & set((node.get("class") or "").split())
        ):
            _replace(node, "")
        elif types & _NOTES or roles & _NOTE_ROLES:
            if not notes:
                _replace(node, "")
            elif node.get("hidden") is not None:
                del node.attrib["hidden"]
        elif node.tag == "math":
            _replace(node, _formula(node))
        elif node.tag == "case" and parent.tag == "switch" and any(child.tag == "default" for child in parent):
            _replace(node, "")
        elif node.tag == "a":
            _simplify_link(node, types, roles, notes=notes)


def _simplify_link(node: etree._Element, types: frozenset[str], roles: frozenset[str], *, notes: bool) -> None:
    words = "".join(node.itertext())
    if roles & _BACKLINK_ROLES or "backlink" in types or words.strip() in {"↩", "↩︎", "↑", "^"}:
        _replace(node, "")
        return
    is_declared = "noteref" in types or "doc-noteref" in roles or "footnote-ref" in (node.get("class") or "")
    parent = node.getparent()
    is_raised = (parent is not None and parent.tag == "sup") or any(child.tag == "sup" for child in node)
    match = _NUMBER.fullmatch(words)
    if is_declared or (is_raised and match is not None and "#" in (node.get("href") or "")):
        label = match[1] if match else words.strip()
        _replace(node, f"[{label}]" if notes and label else "")


def _types(node: etree._Element) -> frozenset[str]:
    """Return the words of the attribute `epub:type`, however a parser writes that."""
    value = node.get(_TYPE) or node.get("epub:type") or ""
    return frozenset(value.split())


def _formula(math: etree._Element) -> str:
    for node in math.iter():
        if local_name(node) == "annotation" and "tex" in (node.get("encoding") or "").lower() and node.text:
            return f"${node.text.strip()}$"
    tex = tex_of(math)
    return f"${tex}$" if tex else (math.get("alttext") or "")


def _replace(node: etree._Element, words: str) -> None:
    """Replace *node* by *words*; what follows it stays."""
    parent = node.getparent()
    if parent is None:
        return
    words += node.tail or ""
    before = node.getprevious()
    if before is None:
        parent.text = (parent.text or "") + words
    else:
        before.tail = (before.tail or "") + words
    parent.remove(node)
