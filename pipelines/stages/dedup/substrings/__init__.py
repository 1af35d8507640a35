"""Cut long repeated substrings: text that also occurs in an earlier document, or earlier in the same one."""
