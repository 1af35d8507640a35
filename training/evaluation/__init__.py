"""What a model is worth: likelihood of held-out text, a baseline to compare with, samples."""
