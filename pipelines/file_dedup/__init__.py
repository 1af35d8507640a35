"""Near-duplicate removal of Parquet and JSON Lines files, without a workspace or a recipe."""
