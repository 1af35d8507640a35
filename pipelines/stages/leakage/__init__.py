"""Similar documents in one split: they are grouped after all stages, and a group is never divided."""
