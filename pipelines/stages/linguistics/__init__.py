"""Views of a text, made once per distinct word: without stop words, as stems, as lemmas."""
