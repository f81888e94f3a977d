"""The words a row of the catalog may use, so that a typo is an error and never a silent rejection."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Who the automatic judge is in log, budgets and metrics.
JUDGE = "weighbridge-judge"

ADAPTERS = ("demo", "openai_compatible", "anthropic", "gemini")

# Per adapter: the ways its providers, or generations of their models, differ. The first is assumed.
DIALECTS = {
    "openai_compatible": (
        *("plain", "openai", "openai_reasoning", "azure", "azure_reasoning", "mistral", "deepseek", "qwen"),
        *("groq", "together", "openrouter", "vllm", "ollama"),
    ),
    "anthropic": ("anthropic", "anthropic_budget"),
    "gemini": ("gemini", "gemini_budget"),
}

# `n` above 1 in one request.
SEVERAL_ANSWERS = "several_answers"

# Whose deployments give one answer, however many are asked for: adapter and dialect. The others have that
# capability without stating it, until `weighbridge verify` finds that they have not.
ONE_ANSWER = frozenset(
    {
        ("demo", ""),
        ("anthropic", "anthropic"),
        ("anthropic", "anthropic_budget"),
        ("openai_compatible", "deepseek"),
        ("openai_compatible", "groq"),
        ("openai_compatible", "ollama"),
    }
)

CAPABILITIES = (
    "tools",
    "parallel_tools",
    "json_schema",
    "vision",
    "audio",
    "files",
    "streaming",
    "reasoning",
    "embeddings",
    SEVERAL_ANSWERS,
)

# Where data is processed, which rules the provider is contractually cleared for, what it promises.
COMPLIANCE_TAGS = (
    *("eu", "us", "uk", "ch", "ca", "au", "jp", "in"),
    *("gdpr", "hipaa", "ccpa", "soc2", "iso27001", "pci_dss", "fedramp"),
    *("zero_retention", "no_training"),
)

OWN_TAG_PREFIX = "x-"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a sentence that names the closest known word, then all of them.

    >>> did_you_mean("visoin", ["vision", "tools"])
    "Did you mean 'vision'? Known: vision, tools."
    """
    words = list(known)
    close = difflib.get_close_matches(word.lower(), words, n=1)
    meant = f"Did you mean {close[0]!r}? " if close else ""
    return f"{meant}Known: {', '.join(words)}."
