"""Which sentences of a LaTeX source a PDF has to have."""

from __future__ import annotations

from benchmarks.loaders.pdf_papers import plain, sentences

SOURCE = r"""\title{This sentence is before the document and does not count.}
\begin{document}
\section{A heading}
The river carries \emph{sand} and gravel down to the sea.  % This is a comment of the author here.
A formula such as $x$ is printed in another way, so it is left out.
It is short. The survey calls it ``a river of sand'' and not a stream -- or a canal.

The river carries sand and gravel down to the sea.
\end{document}
"""


def test_sentences_of_words_are_taken_once() -> None:
    """Formulas, comments and commands are printed differently."""
    assert sentences(SOURCE) == [
        "The river carries sand and gravel down to the sea.",
        'The survey calls it "a river of sand" and not a stream - or a canal.',
    ]


def test_prints_of_one_sentence_are_equal() -> None:
    """Libraries write ligatures, quotes and line ends in their own ways."""
    assert plain("a “ﬁrst”\nﬂood—and") == 'a "first" flood-and'
