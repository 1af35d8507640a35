"""Personal data with a fixed form: patterns that the stage `pii` and de-identification share."""
