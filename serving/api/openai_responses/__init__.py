"""OpenAI's Responses API as callers speak it, without state: into a chat completion, and back."""
