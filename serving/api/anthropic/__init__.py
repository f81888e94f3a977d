"""Anthropic's Messages API as callers speak it: into a chat completion, and back."""
