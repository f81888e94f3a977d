"""Feedback as labels: which questions each graded answer answers, and how much each of them counts.

export → opinions that hold → a vote per tier → partial ordinal labels → weights → groups

A good answer at a tier says "enough" from there up and nothing below; a bad one "not enough" from there down
and nothing above. No other label is invented. What each row counts for is in `influence`.
"""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from classifier.features import FEATURE_NAMES, FEATURE_SCHEMA_VERSION
from classifier.reading import Reading, ReadingError, read
from training.config import ConfigError
from training.decision_log import (
    Decision,
    ExportError,
    Opinion,
    Part,
    Piece,
    Vectors,
    pieces,
    pieces_at,
    pieces_of,
)
from training.influence import capped, effective_rows, inverse_propensity
from training.labeling import Labels

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# What no tier was predicted for: the service's own questions, and vectors of a text.
_NOT_ROUTED = frozenset({"judge", "/v1/embeddings"})

_SAYS_NOTHING = "say of no tier whether it is enough (a good answer of the dearest, a middling score)"


@dataclass(frozen=True, slots=True)
class FeedbackConfig:
    """How feedback becomes labels.

    A score of `good_from` or more is a good answer, of `bad_to` or less a bad one, between them neither.
    `comparison_weight` is what a comparison counts for beside a grade. Inverse propensities are cut at
    `most_weight`. `key_share` (0–1) is the part of all weight, that of the base corpus included, that the
    rows of one key may come to.
    """

    good_from: float = 0.6
    bad_to: float = 0.4
    comparison_weight: float = 0.5
    most_weight: float = 10.0
    key_share: float = 0.2

    def __post_init__(self) -> None:
        """Refuse what would weigh nothing, everything, or a good answer as a bad one."""
        if not 0.0 <= self.bad_to < self.good_from <= 1.0:
            raise ConfigError(
                f"bad_to: {self.bad_to} must be below good_from: {self.good_from}, both from 0 to 1."
            )
        if not 0.0 <= self.comparison_weight <= 1.0:
            raise ConfigError(f"comparison_weight: {self.comparison_weight} must be from 0 to 1.")
        if not 1.0 <= self.most_weight < math.inf:
            raise ConfigError(f"most_weight: {self.most_weight} must be 1 or more.")
        if not 0.0 < self.key_share <= 1.0:
            raise ConfigError(f"key_share: {self.key_share} must be above 0 and at most 1.")


@dataclass(frozen=True, slots=True)
class Graded:
    """The graded decisions of some exports, in their order.

    `labels` over the rows, which count for what their opinions do; `groups` [N]: rows of one conversation or
    one prompt share a number; `places` [N]: where each row stands among all rows of the exports;
    `conversations` and `prompts` [N]: digests of both, which another export gives again; `asked` [N]: the
    place on the scale of the tier that answered, and `propensities` [N] with which it did; `keys` [N]: whose
    row it is, a place in `names`, empty for those without a name; `report`: counts for a person.
    """

    labels: Labels
    groups: Places
    places: Places
    conversations: Places
    prompts: Places
    asked: Places
    propensities: Numbers
    keys: Places
    names: tuple[str, ...]
    report: dict[str, Any]

    def weighed(
        self, chosen: Flags, config: FeedbackConfig, base_weight: float = 0.0
    ) -> tuple[Labels, list[dict[str, Any]]]:
        """Return the labels of some rows as they count beside each other, and what each key comes to.

        `base_weight` is what else they will stand beside, in which no key has a share.
        """
        own = self.labels.take(chosen)
        who = self.keys[chosen], self.names, config.key_share, base_weight
        # else one caller's thousands of likely choices would make everybody else's rows weigh more
        counted, _ = capped(np.ones(len(own.weights)), *who)
        inverse, _ = inverse_propensity(self.propensities[chosen], config.most_weight, counted)
        weights, told = capped(own.weights * inverse, *who)
        return Labels(own.targets, weights), told


@dataclass(frozen=True, slots=True)
class Material:
    """What a piece of graded rows is learned from, by the rows' numbers.

    `vectors` [M, D + F] belong to the rows `with_vectors`, `readings` to the rows `with_text`.
    """

    with_vectors: Places
    vectors: npt.NDArray[np.float32]
    with_text: Places
    readings: list[Reading]


@dataclass(slots=True)
class _Rows:
    """What is kept of each graded row while exports are read: packed numbers, no text and no vector.

    `targets` has a number for each question of each row, `keys` the place of its key in `names`, `asked` that
    of the tier that answered on the scale.
    """

    targets: array[float] = field(default_factory=lambda: array("d"))
    weights: array[float] = field(default_factory=lambda: array("d"))
    propensities: array[float] = field(default_factory=lambda: array("d"))
    asked: array[int] = field(default_factory=lambda: array("q"))
    keys: array[int] = field(default_factory=lambda: array("q"))
    conversations: array[int] = field(default_factory=lambda: array("q"))
    prompts: array[int] = field(default_factory=lambda: array("q"))
    places: array[int] = field(default_factory=lambda: array("q"))
    names: dict[str, int] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    opinions: Counter[str] = field(default_factory=Counter)
    read: int = 0


def graded(
    exports: Sequence[Path], tiers: Sequence[str], config: FeedbackConfig, encoder_id: str | None = None
) -> Graded:
    """Return the labels of every decision that was graded; raise ExportError for an export that is not whole.

    Rows without text count where their embedding was made by the encoder `encoder_id`.
    """
    rows = _Rows()
    seen: set[int] = set()
    for export in exports:
        for piece in pieces(export):
            for decision in piece:
                _take(rows, decision, tiers, config, encoder_id, seen)
                rows.read += 1
    propensities = np.array(rows.propensities)
    inverse, clipped = inverse_propensity(propensities, config.most_weight)
    targets = np.array(rows.targets).reshape(len(rows.weights), len(tiers) - 1)
    conversations, prompts = np.array(rows.conversations), np.array(rows.prompts)
    groups = _groups(conversations, prompts)
    report = {
        "decisions": rows.read,
        "graded": len(propensities),
        "groups": int(groups.max(initial=-1)) + 1,
        "left_out": dict(rows.left_out.most_common()),
        "opinions": dict(rows.opinions.most_common()),
        "inverse_propensity": {
            "clipped_at": config.most_weight,
            "clipped": clipped,
            "effective_rows": effective_rows(inverse),
        },
    }
    return Graded(
        Labels(targets, np.array(rows.weights)),
        groups,
        np.array(rows.places),
        conversations,
        prompts,
        np.array(rows.asked, dtype=np.int64),
        propensities,
        np.array(rows.keys, dtype=np.int64),
        tuple(rows.names),
        report,
    )


def material(exports: Sequence[Path], places: Places) -> Iterator[Material]:
    """Yield what the graded rows at these places are learned from, a piece of the exports at a time."""
    row = start = 0
    for export in exports:
        read = 0
        for piece in pieces_at(export, (places[row:] - start).tolist()):
            read += piece.size
            if piece.rows:
                yield _material(piece, row)
                row += len(piece.rows)
        start += read


def material_of(part: Part, places: Places, first_row: int) -> Iterator[Material]:
    """Yield the same of one part of an export; places count from the start of its file."""
    row = first_row
    for piece in pieces_of(part, places.tolist()):
        if piece.rows:
            yield _material(piece, row)
            row += len(piece.rows)


def _take(
    rows: _Rows,
    decision: Decision,
    tiers: Sequence[str],
    config: FeedbackConfig,
    encoder_id: str | None,
    seen: set[int],
) -> None:
    """Add a decision to the rows, or count why it is none of them."""
    held = [one for one in decision.feedback if one.holds]
    number = _digest(decision.decision_id.encode())
    if number in seen:
        rows.left_out["in another export already"] += 1
        return
    seen.add(number)
    against = "not graded" if not held else _unusable(decision, tiers, encoder_id)
    if against is not None:
        rows.left_out[against] += 1
        return
    rows.opinions.update(one.source for one in held)
    target, weight = votes(held, _answered(decision), tiers, config)
    if weight == 0.0:
        rows.left_out[_SAYS_NOTHING] += 1
        return
    rows.targets.extend(target)
    rows.weights.append(weight)
    rows.propensities.append(decision.propensity)
    rows.asked.append(list(tiers).index(_answered(decision)))
    rows.keys.append(rows.names.setdefault(decision.caller or "", len(rows.names)))
    prompt = _digest(_content(decision))
    rows.prompts.append(prompt)
    rows.conversations.append(_digest(decision.conversation.encode()) if decision.conversation else prompt)
    rows.places.append(rows.read)


def _unusable(decision: Decision, tiers: Sequence[str], encoder_id: str | None) -> str | None:
    """Return why nothing can be learned from a graded decision, or None."""
    if decision.endpoint in _NOT_ROUTED:
        return "not routed by what the prompt needs"
    if decision.outcome is not None and decision.outcome.status != "ok":
        return "not answered"
    if _answered(decision) not in tiers:
        return "answered by a tier that is not on the scale"
    if decision.prompt is not None:
        return None
    if decision.vectors is None:
        return "logged without text or features"
    if decision.vectors.feature_schema != FEATURE_SCHEMA_VERSION:
        return "features of another version"
    if len(decision.vectors.features) != 4 * len(FEATURE_NAMES) or len(decision.vectors.embedding) % 4:
        return "vectors of another length"
    return None if decision.vectors.encoder == encoder_id else "embedded by another encoder"


def _answered(decision: Decision) -> str:
    """Return the tier that answered: the outcome's, a fallback's maybe, else the one that was chosen."""
    return (decision.tier if decision.outcome is None else decision.outcome.tier) or ""


def votes(
    opinions: Sequence[Opinion], tier: str, tiers: Sequence[str], config: FeedbackConfig
) -> tuple[list[float], float]:
    """Return the answer to each question (1 enough, 0 not, NaN unanswered) and what the row counts for.

    Where opinions contradict each other, an answer lies between 0 and 1, by what each of them counts for.
    """
    yes, no = np.zeros(len(tiers) - 1), np.zeros(len(tiers) - 1)
    for one in opinions:
        found = _vote(one, list(tiers).index(tier), tiers, config)
        if found is None:
            continue
        place, good, weight = found
        if good:
            yes[place:] += weight
        else:
            no[: place + 1] += weight
    said = yes + no
    answers = np.divide(yes, said, out=np.full(len(said), np.nan), where=said > 0.0)
    return answers.tolist(), float(said[said > 0.0].mean()) if said.any() else 0.0


def _vote(
    opinion: Opinion, place: int, tiers: Sequence[str], config: FeedbackConfig
) -> tuple[int, bool, float] | None:
    """Return which tier an opinion speaks of, whether it was good enough, and what that counts for."""
    compared = opinion.comparison
    if compared is not None:
        scale = dict(zip(tiers, range(len(tiers)), strict=True))
        other = scale.get(compared.other_tier or "", place)
        if other == place:
            return None
        # of two answers the cheaper one is on trial: it is enough where the dearer is not preferred
        dearer = "other" if other > place else "this"
        weight = opinion.weight * config.comparison_weight
        return min(place, other), compared.prefers != dearer, weight
    if opinion.label is not None:
        # whoever calls a tier too much says that the one below would have done
        lower = max(place - 1, 0) if opinion.label == "overkill" else place
        return lower, opinion.label != "too_weak", opinion.weight
    if opinion.thumb is not None:
        return place, opinion.thumb == "up", opinion.weight
    if opinion.score is None or config.bad_to < opinion.score < config.good_from:
        return None
    return place, opinion.score >= config.good_from, opinion.weight


def _groups(conversations: Places, prompts: Places) -> Places:
    """Return a number per row that all rows share which a conversation or an equal prompt ties together."""
    count = len(conversations)
    if not count:
        return np.zeros(0, dtype=np.int64)
    _, conversation = np.unique(conversations, return_inverse=True)
    _, prompt = np.unique(prompts, return_inverse=True)
    size = int(conversation.max()) + int(prompt.max()) + 2
    ties = coo_matrix(
        (np.ones(count, dtype=np.int8), (conversation, prompt + int(conversation.max()) + 1)), (size, size)
    )
    _, found = connected_components(ties, directed=False)
    _, numbers = np.unique(found[conversation], return_inverse=True)
    return numbers.astype(np.int64)


def answers(labels: Labels, tiers: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return per question how many rows say yes and no, and the weight of either."""
    found = {}
    for head, tier in enumerate(tiers[:-1]):
        said = labels.answered(head)
        answer, weight = labels.targets[said, head], labels.weights[said]
        found[tier] = {
            "rows": int(said.sum()),
            "enough": round(float((answer * weight).sum()), 3),
            "not_enough": round(float(((1.0 - answer) * weight).sum()), 3),
        }
    return found


def _content(decision: Decision) -> bytes:
    """Return what two decisions on the same prompt have in common."""
    if decision.prompt is not None:
        return " ".join(decision.prompt.lower().split()).encode("utf-8", "replace")
    vectors = decision.vectors
    return b"" if vectors is None else vectors.embedding + vectors.features


def _digest(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), signed=True)


def _material(piece: Piece, first_row: int) -> Material:
    chosen = [(row, decision) for row, (_, decision) in enumerate(piece.rows, first_row)]
    kept = [(row, one.vectors) for row, one in chosen if one.prompt is None and one.vectors is not None]
    texts = [(row, _reading(one)) for row, one in chosen if one.prompt is not None]
    vectors = np.stack([_joined(one) for _, one in kept]) if kept else np.zeros((0, 0), dtype=np.float32)
    return Material(
        np.array([row for row, _ in kept], dtype=np.int64),
        vectors,
        np.array([row for row, _ in texts], dtype=np.int64),
        [reading for _, reading in texts],
    )


def _joined(vectors: Vectors) -> npt.NDArray[np.float32]:
    return np.frombuffer(vectors.embedding + vectors.features, dtype="<f4").astype(np.float32, copy=False)


def _reading(decision: Decision) -> Reading:
    """Return a logged prompt as the classifier read it: of tools it reads only how many there are."""
    try:
        prompt: dict[str, Any] = {"messages": json.loads(decision.prompt or "")}
        if decision.tools:
            prompt["tools"] = [{}] * decision.tools
        if decision.response_format is not None:
            prompt["response_format"] = {"type": decision.response_format}
        return read(prompt)
    except (ReadingError, json.JSONDecodeError, RecursionError) as error:
        raise ExportError(f"Decision {decision.decision_id} holds a prompt that cannot be read.") from error
