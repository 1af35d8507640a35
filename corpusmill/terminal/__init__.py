"""Output in the terminal: results, messages, and the progress of a run."""
