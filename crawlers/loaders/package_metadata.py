"""Metadata of Python distributions (``*.dist-info/METADATA``): the description is the document."""

from __future__ import annotations

import textwrap
from email import message_from_string
from email.message import Message
from typing import Any, ClassVar, Final

from corpusmill.crawlers.loaders import markdown
from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.files import OneDocument
from corpusmill.crawlers.loaders.rows import is_too_large
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.licenses import spdx, spdx_of_classifiers

_HOME_PAGES: Final = ("homepage", "home", "documentation", "repository", "source", "source code")


class PackageMetadata(OneDocument):
    """Core metadata of Python distributions; the text is the description, parsed according to its content type."""

    about: ClassVar[About] = About(
        license="The fields `License-Expression` and `License`.",
        get="Installed Python packages: `site-packages/*.dist-info/METADATA`.",
        tried="The packages of an environment.",
    )
    suffixes: ClassVar[tuple[str, ...]] = ("METADATA", "PKG-INFO")
    version: ClassVar[int] = 4
    depends: ClassVar[tuple[str, ...]] = ("markdown-it-py", "docutils")
    max_bytes: ClassVar[int] = markdown.MAX_MARKUP_BYTES

    def offer(self, data: bytes) -> dict[str, Any]:
        """Return the description as text, with title, URL, license and metadata from the headers."""
        try:
            headers = message_from_string(data.decode())
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8: {error.reason} at byte {error.start:,}", kind="encoding") from None
        text = _text(headers)
        if is_too_large(text):
            raise DataError("the description is too large", kind="too_large")
        license, license_source = _license(headers)
        return {
            "text": text,
            "title": ": ".join(filter(None, (_header(headers, "Name"), _header(headers, "Summary")))) or None,
            "url": _home_page(headers),
            "license": license,
            "license_source": license_source,
            "metadata": {key: value for key in ("Name", "Version") if (value := _header(headers, key))} or None,
        }


def _text(headers: Message) -> str:
    description = _description(headers)
    if not description.strip():
        raise DataError("the distribution has no description", kind="no_text")
    media_type = (_header(headers, "Description-Content-Type") or "text/x-rst").partition(";")[0].strip().lower()
    if media_type == "text/markdown":
        return markdown.plain_text(markdown.parse(description))
    if media_type == "text/x-rst":
        from corpusmill.crawlers.loaders import restructuredtext  # imports docutils, which few files need

        return restructuredtext.plain_text(restructuredtext.parse(description))
    return description.strip()


def _description(headers: Message) -> str:
    """Return the body, or the header that had the description before metadata 2.1, without its indentation."""
    body = headers.get_payload()
    if isinstance(body, str) and body.strip():
        return body
    first, _, rest = str(headers.get("Description") or "").partition("\n")
    lines = [line.removeprefix("       |") for line in rest.split("\n")]
    return f"{first}\n{textwrap.dedent(chr(10).join(lines))}"


def _license(headers: Message) -> tuple[str | None, str | None]:
    """Return the license and the name of its header; a license without an SPDX name is ignored."""
    for name in ("License-Expression", "License"):
        if expression := spdx(_header(headers, name) or ""):
            return expression, f"metadata:{name}"
    if expression := spdx_of_classifiers([str(value) for value in headers.get_all("Classifier") or ()]):
        return expression, "metadata:Classifier"
    return None, None


def _home_page(headers: Message) -> str | None:
    if home_page := _header(headers, "Home-page"):
        return home_page
    urls = {}
    for value in headers.get_all("Project-URL") or ():
        label, _, url = str(value).partition(",")
        urls[label.strip().lower()] = url.strip()
    return next((urls[label] for label in _HOME_PAGES if urls.get(label)), None)


def _header(headers: Message, name: str) -> str | None:
    value = " ".join(str(headers.get(name) or "").split())
    return None if value in {"", "UNKNOWN"} else value
