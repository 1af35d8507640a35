"""The rules under which broken records and pages are listed in a ledger, and the meaning of each rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ERROR_RULES: Final[Mapping[str, str]] = {
    "error.bad_header": "The header of a WARC or ARC record cannot be parsed.",
    "error.bad_redirect": "A redirect leads to something that is not an http or https URL.",
    "error.bad_response": "The server's answer breaks HTTP: headers without end, or a wrong `Content-Length`.",
    "error.connection": "The server refused or closed the connection.",
    "error.consent_denied": "The patient denies the use of the record, or has withdrawn consent.",
    "error.damaged": "A table, an archive, or a part of it cannot be read.",
    "error.dns": "The host name has no address.",
    "error.duplicate_name": "An archive has an earlier member with the same path.",
    "error.empty": "The file or the body has no content.",
    "error.encoding": "The character encoding is wrong or unclear, or the compressed body cannot be decoded.",
    "error.encrypted": "The content or the member of an archive is encrypted, or protected against copying.",
    "error.entities": "The XML declares entities of its own, which can expand to any size or name other files.",
    "error.no_records": "The file is whole, but has no records, for example only a header.",
    "error.no_text": "The record has no text, for example not in `text_field`.",
    "error.no_text_layer": "No page of the file has a text layer, for example because it is a scan.",
    "error.not_csv": "The lines are not a table, or a quote in them is not closed.",
    "error.not_html": "The content is not a web page.",
    "error.not_json": "The line or element is not valid JSON, or not an object.",
    "error.not_regular": "A member of an archive is a link or a special file.",
    "error.not_text": "The content is binary, or of a media type that holds no document.",
    "error.not_warc": "The bytes are not a WARC or ARC record.",
    "error.not_xml": "The record is not well-formed XML, or nested too deeply.",
    "error.ragged": "The row of a CSV file has more fields than the table has columns.",
    "error.redirect_loop": "The page redirects to a URL that was already requested on the way to it.",
    "error.restricted": "The record is labeled as restricted, and the recipe does not allow that label.",
    "error.timeout": "The server did not answer in time, or its answer did not end in time.",
    "error.tls": "The encrypted connection failed, for example because of an expired certificate.",
    "error.too_complex": "The page is nested too deeply or has too many attributes for CSS selectors, or the markup of "
    "the file would take too long to parse.",
    "error.too_deep": "The JSON of the record is nested too deeply.",
    "error.too_large": "The record, its text, its header or the links of the page exceed a size limit.",
    "error.truncated": "The record ends early: the file or the transfer was cut off.",
    "error.unexpected": "A stage or a loader failed on this record, or the rest of this file: a bug in corpusmill. The "
    "message names the exception.",
    "error.unsafe_path": "The path of a member leads out of its archive.",
    "error.unreadable": "The file cannot be parsed.",
    "error.wrong_format": "The file is not of the `format` that the recipe names.",
}
"""Meaning of each rule. A loader of another distribution may add rules of its own with the prefix ``error.``."""

CRAWL_RULES: Final[Mapping[str, str]] = {
    "address.private": "The host has a private or loopback address, and the recipe does not set `allow_private: true`; "
    "or a link-local or reserved address, which is never crawled.",
    "budget.bytes": "`budgets: bytes` was reached, in all or on this host, before the address was requested.",
    "budget.depth": "The address is more than `max_depth` links away from `start_urls`.",
    "budget.listings": "10,000 sitemaps and feeds were read before this one.",
    "budget.pages": "`max_pages` or `budgets: per_host: pages` was reached before the address was requested.",
    "budget.queued": "`budgets: queued` was reached, in all or on this host, when the address was found.",
    "budget.seconds": "`budgets: seconds` was reached, in all or on this host, before the address was requested.",
    "content.not_html": "The answer is neither a web page nor text.",
    "feed.invalid": "The feed, or the rest of it, is neither RSS, Atom nor JSON Feed, or entries have no web address. "
    "The message says why; entries before an error are used.",
    "feed.too_large": "The feed has more than 8 MB or 50,000 entries; the first ones are used.",
    "host.suspended": "The server asked with `Retry-After` to wait longer than 300 s. The next `crawl` tries again.",
    "http.<status>": "The server answered with this status code: `http.404`, `http.500`, …",
    "link.invalid": "The address of the link is not valid, for example because of its host or port. `url` is the link "
    "as written; a long one is shortened, followed by a hash.",
    "link.too_long": "The address of the link has more than 8,192 characters.",
    "robots.crawl_delay": "robots.txt asks for more than 60 s between two requests, so the host is not crawled.",
    "render.blocked": "A script of a page with `render: true` sent a request that a crawl does not send: with another "
    "method than GET, or after 100 others.",
    "render.failed": "The page with `render: true` crashed the browser, or is too large after its scripts ran.",
    "render.timeout": "The scripts of the page with `render: true` did not end in time.",
    "robots.disallowed": "robots.txt disallows the address.",
    "robots.nofollow": "The page that links to the address says `nofollow`.",
    "robots.noindex": "The page says `noindex`.",
    "robots.unreachable": "robots.txt could not be fetched or decoded, so the host is not crawled (RFC 9309, 2.3.1.4).",
    "scope.denied": "The address matches a pattern of `deny`.",
    "scope.not_allowed": "The address matches no pattern of `allow`.",
    "scope.offsite": "The address is on another host than `start_urls` and the addresses in `sitemaps`, `feeds` and "
    "`urls`.",
    "sitemap.invalid": "The sitemap, or the rest of it, cannot be read, or entries have no web address. The message "
    "says why; entries before an error are used.",
    "sitemap.too_deep": "The sitemap is behind more than 5 indexes and redirects.",
    "sitemap.too_large": "The sitemap has more than 50 MB or 50,000 entries, or markup beyond other limits; the first "
    "ones are used.",
    "trap.deep_path": "The path has more than 20 segments.",
    "trap.repeated_parameter": "The same parameter with the same value occurs three times in the query.",
    "trap.repeated_path": "The same path segments occur three times in a row.",
    "trap.same_text": "The pages of this pattern of addresses repeat the same text.",
    "urls.invalid": "The line of a file in `urls` is not a web address. The message has file and line.",
}
"""Meaning of each rule for addresses that a crawl did not fetch. Rules of `ERROR_RULES` apply to crawls as well."""
