"""What a person sees: two streams, and the progress of a run."""
