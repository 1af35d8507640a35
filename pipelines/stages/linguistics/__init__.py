"""Views of a text, computed once per distinct word: without stop words, as stems, as lemmas."""
