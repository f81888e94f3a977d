"""Verified, not declared: real probes to a deployment, and what they find."""
