"""The commands of `weighbridge` that serve; `weighbridge.py` mounts them."""
