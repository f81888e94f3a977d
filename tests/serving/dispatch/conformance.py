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
from tests.serving.dispatch import inbound
from tests.serving.dispatch.asking import deployment
from tests.serving.dispatch.features import BASE, FEATURES, without

GOLDEN = Path(__file__).parent / "golden" / "requests"
GOLDEN_INBOUND = GOLDEN.parent / "inbound"
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


def sent_from(api: str, provider: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the body that a provider is sent for a request to one of the other inbound APIs."""
    return sent(provider, inbound.chat(api, fields))


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
    return _providers(GOLDEN / f"{feature}.json")


def golden_from(api: str, feature: str) -> dict[str, dict[str, Any]]:
    """Return the same for a request to one of the other inbound APIs."""
    return _providers(GOLDEN_INBOUND / api / f"{feature}.json")


def _providers(path: Path) -> dict[str, dict[str, Any]]:
    groups = json.loads(path.read_text())
    return {name: group["sent"] for group in groups for name in group["providers"]}


def table() -> str:
    """Return the table that the golden files add up to."""
    lines = [_LINE.format("Feature", *PROVIDERS), _LINE.format("---", *("---" for _ in PROVIDERS))]
    for feature, (told, _) in FEATURES.items():
        found = golden(feature)
        lines.append(_LINE.format(told, *(outcome(name, feature, found[name]) for name in PROVIDERS)))
    return "\n".join(lines) + "\n"


def inbound_table() -> str:
    """Return what becomes of the other two inbound APIs' requests, as their golden files show it."""
    lines = [
        "| Endpoint | Feature | refused by | left out for |",
        "| --- | --- | --- | --- |",
    ]
    for api, features in inbound.INBOUND.items():
        for feature, (told, fields) in features.items():
            found = golden_from(api, feature)
            refused = [name for name in PROVIDERS if "refused" in found[name]]
            left_out = [
                name
                for name in PROVIDERS
                if name not in refused and found[name] == sent_from(api, name, inbound.without(fields))
            ]
            cells = (", ".join(names) or "–" for names in (refused, left_out))
            lines.append(f"| {api} | {told} | {' | '.join(cells)} |")
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


def tables_in_docs() -> tuple[str, ...]:
    """Return the tables as the documentation has them."""
    text = TABLE.read_text()
    return tuple(text.split(f"<!-- {mark} -->\n")[1] for mark in ("requests", "inbound", "answers"))


def write() -> None:
    """Write golden files and tables anew, from what the adapters do now."""
    for feature, (_, asked) in FEATURES.items():
        _write(GOLDEN / f"{feature}.json", {name: sent(name, asked) for name in PROVIDERS})
    for api, features in inbound.INBOUND.items():
        for feature, (_, fields) in features.items():
            found = {name: sent_from(api, name, fields) for name in PROVIDERS}
            _write(GOLDEN_INBOUND / api / f"{feature}.json", found)
    for name, written in (
        ("requests", table()),
        ("inbound", inbound_table()),
        ("answers", answers_table()),
    ):
        mark = f"<!-- {name} -->\n"
        before, _, after = TABLE.read_text().split(mark)
        TABLE.write_text(before + mark + written + mark + after)


def _write(path: Path, found: dict[str, dict[str, Any]]) -> None:
    """Write what each provider is sent, with those together that are sent the same."""
    groups: list[dict[str, Any]] = []
    for name, body in found.items():
        group = next((one for one in groups if one["sent"] == body), None)
        if group is None:
            groups.append({"providers": [name], "sent": body})
        else:
            group["providers"].append(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(groups, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write()
