"""FHIR resources in a stream, as JSON."""
