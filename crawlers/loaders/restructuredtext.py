"""reStructuredText as readable text, by docutils, with all features off that read files, run code or use the time."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, ClassVar, Final

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, Parser, directives, roles
from docutils.parsers.rst.states import Inliner
from docutils.readers.standalone import Reader
from docutils.transforms import Transform

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.files import Encoded
from corpusmill.crawlers.loaders.header_fields import described
from corpusmill.crawlers.loaders.markdown import MAX_MARKUP_BYTES
from corpusmill.crawlers.loaders.streams import packed
from corpusmill.schemas.decoding.texts import decode_text
from corpusmill.schemas.errors import DataError

_SETTINGS: Final = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 6,
    "input_encoding": "unicode",
    "syntax_highlight": "none",
    "smart_quotes": False,
    "line_length_limit": MAX_MARKUP_BYTES,
    "language_code": "en",
    "doctitle_xform": True,
    "docinfo_xform": True,
    "sectsubtitle_xform": False,
    "datestamp": None,
    "strip_comments": True,
}
_ROLE: Final = re.compile(r":[A-Za-z][\w.+:-]*:`([^`]*)`")
_TITLED: Final = re.compile(r"(.+?)\s*<[^<>]*>", re.DOTALL)
_OPTION: Final = re.compile(r":[\w -]+:(\s|\Z)")
_MARK: Final = re.compile(r"[*`|_\[:]")
_MIN_INLINE_WORK: Final = 100_000_000
"""Starts of inline markup times characters of their paragraph that every document may have: one to two seconds."""
_WORK_PER_CHARACTER: Final = 200
"""Further work for each character of a document, so that a long one with ordinary paragraphs is read."""
_MAX_SUBSTITUTED: Final = 4_000_000
"""Characters that substitutions may add to a document, a node counting as `_NODE_CHARACTERS`: about a second."""
_NODE_CHARACTERS: Final = 20
_SILENT: Final = (
    nodes.comment,
    nodes.substitution_definition,
    nodes.target,
    nodes.pending,
    nodes.raw,
    nodes.meta,
    nodes.decoration,
)


class RestructuredText(Encoded):
    """reStructuredText files. The text is rendered as for Markdown.

    The fields at the top give the license and the day of publication; the others become metadata.
    """

    about: ClassVar[About] = About(
        license="`license` in the recipe.",
        get="Documentation in repositories, such as PEPs.",
        tried="PEPs 8, 20 and 484, and the documentation of Scrapy.",
    )
    suffixes: ClassVar[tuple[str, ...]] = packed(".rst", ".rest")
    version: ClassVar[int] = 4
    depends: ClassVar[tuple[str, ...]] = ("docutils",)
    max_bytes: ClassVar[int] = MAX_MARKUP_BYTES

    def offer(self, data: bytes) -> dict[str, Any]:
        """Return the text, the title (of the document, else of its first section) and the fields."""
        text = decode_text(data, encoding=self.encoding)
        tree = parse(text)
        fields = dict(_fields(tree))
        title = fields.pop("title", None) or _title(tree)
        return {"text": plain_text(tree), "title": title, **described(fields, place="docinfo", text=text)}


class _EmptyDirective(Directive):
    """Replaces a directive whose output depends on the date."""

    def run(self) -> list[nodes.Node]:
        return []


def parse(text: str) -> nodes.document:
    """Parse *text* into a tree, ignoring markup errors and definitions of other documents.

    Raises:
        DataError: ``unreadable``: *text* is nested too deeply, or docutils fails on it. ``too_complex``: its inline
            markup or its substitutions would take far more than linear time.
    """
    roles._roles.clear()  # type: ignore[attr-defined]  # docutils keeps the roles that a document defines
    directives.register_directive("date", _EmptyDirective)
    try:
        tree: nodes.document = publish_doctree(
            text,
            reader=_Reader(),
            parser=_parser(text),
            settings_overrides=_SETTINGS | {"warning_stream": io.StringIO()},
        )
    except RecursionError:
        raise DataError("nested too deeply", kind="unreadable") from None
    except (DataError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - docutils has defects that raise KeyError, ValueError and others
        raise DataError(f"docutils cannot parse it: {type(error).__name__}", kind="unreadable") from None
    return tree


def _parser(text: str) -> Parser:
    is_pep = text.startswith("PEP:")  # PEP 1: fields of PEPs do not start with a colon
    return Parser(rfc2822=is_pep, inliner=_bounded_inliner(_MIN_INLINE_WORK + _WORK_PER_CHARACTER * len(text)))


def _bounded_inliner(max_work: int) -> Inliner:
    """Return a parser of inline markup that refuses what takes far more than linear time.

    From each start of markup, docutils searches for its end to the end of the paragraph. The parser is no subclass,
    because docutils builds its patterns from the attributes of the class.

    Args:
        max_work: Starts of markup times characters of their paragraph, summed over the document.
    """
    inliner = Inliner()
    parse_text = inliner.parse
    work = 0

    def bounded_parse(text: str, *context: Any) -> Any:
        nonlocal work
        work += len(_MARK.findall(text)) * len(text)
        if work > max_work:
            raise DataError("too much inline markup in one paragraph", kind="too_complex")
        return parse_text(text, *context)

    inliner.parse = bounded_parse  # type: ignore[assignment, method-assign]
    return inliner


class _Reader(Reader):  # type: ignore[type-arg]
    """Checks substitutions before they are made."""

    def get_transforms(self) -> list[type[Transform]]:
        return [*super().get_transforms(), _BoundedSubstitutions]


class _BoundedSubstitutions(Transform):
    """Refuses substitutions that expand to too much, as definitions that name each other twice do."""

    default_priority = 219
    """Before `docutils.transforms.references.Substitutions` (220)."""

    def apply(self) -> None:
        """Compute the size of each definition and of all references.

        Raises:
            DataError: ``too_complex``, or ``unreadable``: a definition contains itself.
        """
        names = self.document.substitution_names
        references = {name: _references(node, names) for name, node in self.document.substitution_defs.items()}
        sizes: Counter[str] = Counter()
        try:
            for name in TopologicalSorter(references).static_order():
                own = _size(self.document.substitution_defs[name])
                sizes[name] = own + sum(times * sizes[inner] for inner, times in references[name].items())
        except CycleError:
            raise DataError("a substitution contains itself", kind="unreadable") from None
        total = sum(times * sizes[name] for name, times in _references(self.document, names).items())
        if total > _MAX_SUBSTITUTED:
            raise DataError("the substitutions expand to too much text", kind="too_complex")


def _size(node: nodes.Element) -> int:
    """Return the cost of a copy of *node*, in characters."""
    return len(node.astext()) + _NODE_CHARACTERS * sum(1 for _ in node.findall())


def _references(node: nodes.Element, names: dict[str, str]) -> Counter[str]:
    """Return how often each defined substitution is referenced in *node*."""
    called = (reference["refname"].lower() for reference in node.findall(nodes.substitution_reference))
    return Counter(names[name] for name in called if name in names)


def plain_text(tree: nodes.document) -> str:
    """Return the readable text of *tree*, without the fields at its top.

    >>> print(plain_text(parse("A *b*\\n=====\\n\\n- `c <http://d>`_\\n- e\\n\\n::\\n\\n  code")))
    A b
    <BLANKLINE>
    - c
    - e
    <BLANKLINE>
    code
    """
    return "\n\n".join(block for child in tree.children if not _is_header(child) for block in _blocks(child))


def _blocks(node: nodes.Node) -> Iterator[str]:
    """Yield the blocks of text in *node*, without empty ones."""
    if isinstance(node, nodes.system_message):
        yield from _unknown_directive(node)
    elif isinstance(node, _SILENT) or _is_contents(node):
        return
    elif isinstance(node, (nodes.bullet_list, nodes.enumerated_list)):
        yield "\n".join(_items(node))
    elif isinstance(node, nodes.row):
        yield " | ".join(" ".join(_words(entry).split()) for entry in node.children)
    elif isinstance(
        node, (nodes.thead, nodes.tbody, nodes.field_list, nodes.docinfo, nodes.line_block, nodes.option_list)
    ):
        yield from filter(None, ["\n".join(block for child in node.children for block in _blocks(child))])
    elif isinstance(node, (nodes.field, nodes.option_list_item)):
        yield ": ".join(filter(None, (_words(child) for child in node.children)))
    elif isinstance(node, nodes.definition):
        yield from (_indented(block) for child in node.children for block in _blocks(child))
    elif isinstance(node, nodes.image):
        yield from filter(None, [node.get("alt", "")])
    elif isinstance(node, (nodes.TextElement, nodes.line)):
        yield from filter(None, [_words(node).strip("\n")])
    else:
        for child in node.children:
            yield from _blocks(child)


def _items(node: nodes.Element) -> Iterator[str]:
    number = int(node.get("start", 1))
    for index, item in enumerate(node.children):
        mark = "- " if isinstance(node, nodes.bullet_list) else f"{number + index}. "
        text = "\n\n".join(block for child in item.children for block in _blocks(child))
        yield mark + _indented(text, " " * len(mark)).lstrip(" ")


def _indented(text: str, by: str = "  ") -> str:
    return "\n".join(by + line if line else "" for line in text.split("\n"))


def _words(node: nodes.Node) -> str:
    """Return the text in *node*, which contains text and inline markup."""
    if isinstance(node, nodes.problematic):
        return _ROLE.sub(_role_words, node.astext())
    if isinstance(node, nodes.Text):
        return node.astext()
    if isinstance(node, nodes.image):
        return str(node.get("alt", ""))
    if isinstance(node, (nodes.system_message, *_SILENT)) and not (isinstance(node, nodes.target) and node.children):
        return ""
    separator = "\n" if isinstance(node, (nodes.entry, nodes.field_body, nodes.description)) else ""
    return separator.join(_words(child) for child in node.children)


def _role_words(role: re.Match[str]) -> str:
    """Return the text that Sphinx shows for a reference: its title, else its target; after ``~``, only the last part.

    >>> _ROLE.sub(_role_words, ":class:`~a.b.C`, :doc:`Title <d/e>`, :ref:`label`")
    'C, Title, label'
    """
    if titled := _TITLED.fullmatch(role[1]):
        return titled[1]
    return role[1].rpartition(".")[2].removeprefix("~") if role[1].startswith("~") else role[1]


def _unknown_directive(message: nodes.system_message) -> Iterator[str]:
    """Yield the text in a directive that docutils does not know, such as a directive of Sphinx."""
    block = next(iter(message.findall(nodes.literal_block)), None)
    if block is None or "Unknown directive type" not in message.astext():
        return
    first, *rest = block.astext().split("\n")
    argument = first.partition("::")[2].strip()
    body = "\n".join(line.strip() for line in rest if not _OPTION.match(line.strip()))
    text = _ROLE.sub(_role_words, "\n".join(filter(None, [argument, body.strip("\n")])))
    yield from filter(None, [re.sub(r"\n{3,}", "\n\n", text).strip()])


def _is_contents(node: nodes.Node) -> bool:
    return isinstance(node, nodes.topic) and "contents" in node.get("classes", ())


def _is_header(node: nodes.Node) -> bool:
    """Return whether *node*, a child of the document, contains the fields at its top."""
    if isinstance(node, nodes.docinfo):
        return True
    before = node.parent.children[: node.parent.index(node)]
    return isinstance(node, nodes.field_list) and all(
        isinstance(child, (nodes.title, nodes.comment)) for child in before
    )


def _title(tree: nodes.document) -> str | None:
    heading = next(iter(tree.findall(nodes.title)), None)
    return " ".join(_words(heading).split()) or None if heading is not None else None


def _fields(tree: nodes.document) -> Iterator[tuple[str, str]]:
    """Yield the name (in lower case) and value of each field at the top of the document."""
    for child in tree.children:
        if _is_header(child):
            for field in child.children:
                name, value = _field(field)
                if value:
                    yield name, value


def _field(node: nodes.Node) -> tuple[str, str]:
    """Return the name and value of a field; docutils has node types for fields that it knows, such as ``author``."""
    if isinstance(node, nodes.field):
        name, value = (" ".join(_words(part).split()) for part in node.children)
        return name.lower(), value
    return type(node).__name__, " ".join(_words(node).split())
