"""HL7 version 2: messages in a stream, and their segments, fields and escapes."""
