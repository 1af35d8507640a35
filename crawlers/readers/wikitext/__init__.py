"""Wikitext, the markup of Wikipedia and other wikis of MediaWiki, as plain text: one pass, no expansion by a server.

`article` reads a page: `extensions` sets comments, notes and code apart, `braces` renders templates and links with the
tables of the wiki's language, `lines` writes headings, lists, tables and paragraphs, and `inline` cleans up.
"""
