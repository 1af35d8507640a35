"""Recall and precision of de-identification on clinical notes that a generator makes."""
