"""`make bench`: speed, memory and size, each beside a floor measured in the same run. Start at `__main__`."""
