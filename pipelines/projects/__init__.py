"""A user's project: started, looked at, and what this machine can do for it."""
