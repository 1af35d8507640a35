"""Cut long repeated substrings: stretches of text that stand in an earlier document, or earlier in the same one."""
