"""Serving: weigh a prompt, choose its deployment, dispatch it, log it. Read `gateway.py` first."""
