"""What the loaders of medical records share: people of a record, consent, and records without identifiers."""
