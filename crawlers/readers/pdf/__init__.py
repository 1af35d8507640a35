"""Read the text layer of PDF files: characters, lines, columns, paragraphs.

`process` runs `document` in a process of its own, so that a crash of native code ends only one record.
"""
