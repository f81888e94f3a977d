"""The memory: the decision log, which is the truth, behind a queue that nobody waits for."""
