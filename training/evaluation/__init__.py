"""Evaluation of a model: likelihood of held-out text, a baseline, samples."""
