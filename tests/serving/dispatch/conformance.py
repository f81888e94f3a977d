"""What each provider is sent for each feature: kept in golden files, told in a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from serving.dispatch import anthropic_request, gemini_request, openai_request
from serving.dispatch.adapter import ProviderError
from serving.dispatch.dialects import DIALECTS, adapted
from serving.dispatch.native import refuse_others
from serving.dispatch.signatures import Signatures
from tests.serving.dispatch.asking import deployment
from tests.serving.dispatch.features import BASE, FEATURES, without

GOLDEN = Path(__file__).parent / "golden" / "requests"
TABLE = Path(__file__).parents[3] / "docs" / "conformance.md"
ADAPTERS = ("openai_compatible", "anthropic", "gemini")
NATIVE = ("anthropic", "anthropic_budget", "gemini", "gemini_budget")
PROVIDERS = (*(name for name in DIALECTS if name != "plain"), *NATIVE)
_LINE = "| {} | " + " | ".join("{}" for _ in PROVIDERS) + " |"


def sent(provider: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the body that a provider is sent, or which field is refused without asking it."""
    body = BASE | asked
    try:
        if provider in DIALECTS:
            return adapted(body, DIALECTS[provider])
        conversation = openai_request.read(body)
        refuse_others(conversation)
        row = deployment(provider.removesuffix("_budget"), "https://example.com", provider)
        writer = anthropic_request if provider.startswith("anthropic") else gemini_request
        return writer.body(row, conversation, Signatures())
    except ProviderError as error:
        return {"refused": (error.body or {})["param"]}


def outcome(provider: str, feature: str, body: dict[str, Any]) -> str:
    """Return in a word what became of a feature."""
    asked = BASE | FEATURES[feature][1]
    if "refused" in body:
        return "refused"
    if body == sent(provider, without(feature)):
        return "left out"
    if all(body.get(name) == value for name, value in asked.items() if name != "model"):
        return "✓"
    return "✓ translated"


def golden(feature: str) -> dict[str, dict[str, Any]]:
    """Return what the golden file of a feature says that each provider is sent."""
    groups = json.loads((GOLDEN / f"{feature}.json").read_text())
    return {name: group["sent"] for group in groups for name in group["providers"]}


def table() -> str:
    """Return the table that the golden files add up to."""
    lines = [_LINE.format("Feature", *PROVIDERS), _LINE.format("---", *("---" for _ in PROVIDERS))]
    for feature, (told, _) in FEATURES.items():
        found = golden(feature)
        lines.append(_LINE.format(told, *(outcome(name, feature, found[name]) for name in PROVIDERS)))
    return "\n".join(lines) + "\n"


def answers() -> dict[str, dict[str, Any]]:
    """Return per feature what each kind of provider answers, and what the caller is told."""
    found: dict[str, dict[str, Any]] = json.loads((GOLDEN.parent / "answers.json").read_text())
    return found


def answers_table() -> str:
    """Return the table of what the golden answers prove."""
    lines = [f"| Feature | {' | '.join(ADAPTERS)} |", "| --- |" + " --- |" * len(ADAPTERS)]
    for feature, cases in answers().items():
        cells = ("–" if name not in cases else "✓" for name in ADAPTERS)
        lines.append(f"| {feature} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def tables_in_docs() -> tuple[str, str]:
    """Return both tables as the documentation has them."""
    text = TABLE.read_text()
    return text.split("<!-- requests -->\n")[1], text.split("<!-- answers -->\n")[1]


def write() -> None:
    """Write golden files and table anew, from what the adapters do now."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for feature, (_, asked) in FEATURES.items():
        groups: list[dict[str, Any]] = []
        for name in PROVIDERS:
            body = sent(name, asked)
            group = next((one for one in groups if one["sent"] == body), None)
            if group is None:
                groups.append({"providers": [name], "sent": body})
            else:
                group["providers"].append(name)
        text = json.dumps(groups, indent=1, ensure_ascii=False)
        (GOLDEN / f"{feature}.json").write_text(text + "\n")
    for mark, written in (("<!-- requests -->\n", table()), ("<!-- answers -->\n", answers_table())):
        before, _, after = TABLE.read_text().split(mark)
        TABLE.write_text(before + mark + written + mark + after)


if __name__ == "__main__":
    write()
