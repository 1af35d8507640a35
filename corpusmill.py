"""corpusmill: from sources to a published corpus, its report and a model trained on it."""

__version__ = "0.1.0"
