"""Remove the identifiers of people from texts and their metadata. The detectors are in `schemas.deidentification`."""
