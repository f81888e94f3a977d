"""The decision, pure: no clock, network, disk, randomness or environment in this room."""
