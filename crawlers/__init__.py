"""Sources of records: a crawler, and loaders of files. What comes out are files and their manifest."""
