"""Archives (zip, tar and compressed tar): their members as raw files, with bounds against hostile ones."""
