"""Readers that several loaders share: XML, fragments of HTML, wikitext, TeX. They know formats, not data sets."""
