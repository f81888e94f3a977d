"""The loop from a thumb to a better champion on recorded outcomes; `run` is the place to start reading."""
