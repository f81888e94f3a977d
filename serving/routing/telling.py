"""A decision told to a person, from the plain values of its explanation, new or out of the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def told(explanation: Row) -> str:
    """Return an explanation as lines that a person can check by adding up: `explanation.as_dict`'s shape."""
    ranking, rejected = explanation["ranking"], explanation["rejected"]
    width = max((len(row["deployment"]) for row in (*ranking, *rejected)), default=0)
    lines = [_needs(explanation), ""]
    for place, row in enumerate(ranking):
        mark = "   chosen" if place == 0 else ""
        lines.append(f"{row['deployment']:<{width}}   {_sum(row)}{mark}")
    lines += [f"{row['deployment']:<{width}}   {row['reason']}" for row in rejected]
    if explanation["rules"]:
        lines += ["", f"rules: {', '.join(explanation['rules'])}"]
    if explanation["reason"] == "share_cap":
        lines += ["", _shifted(explanation["share"], next(iter(explanation["sufficiency"])))]
    return "\n".join(lines)


def _needs(explanation: Row) -> str:
    enough = ", ".join(f"{tier} {share:.0%}" for tier, share in explanation["sufficiency"].items())
    return f"needs {explanation['required_tier']} (enough: {enough}; artifact {explanation['artifact']})"


def _sum(row: Row) -> str:
    parts = f"${row['waiting_cost_usd']:.5f} waiting + ${row['lost_quality_cost_usd']:.5f} lost quality"
    if row["switch_cost_usd"]:
        parts += f" + ${row['switch_cost_usd']:.5f} switching"
    if row["token_cost_usd"] is None:
        return f"quality {row['quality']:.2f}   price unknown + {parts}"
    return (
        f"quality {row['quality']:.2f}   ${row['token_cost_usd']:.5f} tokens + {parts} "
        f"= ${row['total_usd']:.5f}"
    )


def _shifted(share: Row, lowest: str) -> str:
    return (
        f"{lowest} comes last: at most {share['cap']:.0%} of the traffic goes there, and this prompt, "
        f"${share['misroute_usd']:.5f} if that is not enough, is among the dearest to misroute"
    )


def told_in_full(explanation: Row) -> str:
    """Return `told` with what the decision went by beside the sum: what was asked, sizes, filters, ids."""
    found: Sequence[tuple[str, str]] = [row for row in _facts(explanation) if row[1]]
    width = max(len(name) for name, _ in found)
    return "\n".join([told(explanation), "", *(f"{name:<{width}}   {text}" for name, text in found)])


def _facts(explanation: Row) -> Iterator[tuple[str, str]]:
    yield "reason", f"{explanation['reason']}, with probability {explanation['propensity']:g}"
    yield "asked for", "; ".join(_asked(explanation))
    yield "tokens", _tokens(explanation)
    if turn := explanation["conversation"]:
        yield "conversation", f"with {turn['deployment']}, {turn['warm_tokens']:,} tokens warm"
    yield "sensitive", ", ".join(explanation["sensitive"])
    rejecting = explanation.get("filters", {})
    yield "filters", ", ".join(f"{code} rejected {count:,}" for code, count in rejecting.items())
    yield "floor", f"quality {explanation['quality_floor']:.3f}"
    yield "share", _share(explanation["share"])
    yield (
        "made with",
        (
            f"policy {explanation['policy']}, snapshot {explanation['snapshot']}, "
            f"artifact {explanation['artifact']} ({explanation['prediction_source']})"
        ),
    )


def _asked(explanation: Row) -> Iterator[str]:
    for name, value in explanation.get("needs", {}).items():
        yield f"{name} {', '.join(value) if isinstance(value, list) else value}"


def _tokens(explanation: Row) -> str:
    """Tell the estimate, and how far it differs between the families of tokenizers."""
    counts = [tuple(count) for count in explanation["tokens"].values()]
    bound = f" (up to {max(most for _, most in counts):,})" if counts else ""
    text = (
        f"about {explanation['input_tokens']:,} in{bound}, "
        f"about {explanation['expected_output_tokens']:,} out"
    )
    reserved = explanation.get("reserved_output_tokens")
    return text if reserved is None else f"{text}, {reserved:,} reserved for the answer"


def _share(share: Row) -> str:
    if share["share"] is None:
        return f"at most {share['cap']:.0%} to the lowest tier, nothing counted yet"
    return (
        f"at most {share['cap']:.0%} to the lowest tier, {share['share']:.1%} of the last "
        f"{share['decisions']:,} went there"
    )
