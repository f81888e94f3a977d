"""Proof, before anything is kept, that an artifact says what was fitted and has the encoder it claims."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from classifier.encoder import EDGE_TOKENS
from classifier.reading import Reading
from classifier.tier_classifier import TierClassifier
from training.embedding import MadeEncoder, embed, load_source, source_folder
from training.export import ExportRefused
from training.fit import Head, Matrix, sufficiency

# scikit-learn counts in float64, the graph in float32.
MAX_PROBABILITY_GAP = 1e-5
# 8 bits per value cost the static table almost nothing; through six layers they add up.
MIN_COSINE = {"static": 0.999, "transformer": 0.95}
SAMPLE_ROWS = 64


def prove_heads(
    artifact: TierClassifier,
    heads: Sequence[Head],
    readings: Sequence[Reading],
    inputs: Matrix,
    tokens: csr_matrix | None = None,
) -> float:
    """Return the largest gap to scikit-learn's probabilities; raise ExportRefused where it is too large."""
    served = np.array([prediction.sufficiency for prediction in artifact.predict_readings(readings)])
    gap = float(np.abs(served - sufficiency(heads, inputs, tokens)).max())
    if not gap <= MAX_PROBABILITY_GAP:
        raise ExportRefused(
            f"The graph's probabilities differ from scikit-learn's by up to {gap:.2g}, allowed are "
            f"{MAX_PROBABILITY_GAP:g}. Look at what changed in training.export or training.fit."
        )
    return gap


def prove_encoder(encoder: MadeEncoder, readings: Sequence[Reading], source: str | None) -> float:
    """Return the least cosine to sentence-transformers on short requests; raise ExportRefused where too low.

    Short ones, because there every token counts the same for both; `classifier.encoder` weighs longer ones.
    """
    kind = str(encoder.facts["kind"])
    texts = _short(encoder, readings) or ["Where is my order?"]
    ours = embed(encoder, encoder.feeder().feeds([Reading(request=text) for text in texts]))
    theirs = _reference_static(encoder, texts) if kind == "static" else _reference_transformer(source, texts)
    least = float(np.sum(ours * theirs, axis=1).min())
    if not least >= MIN_COSINE[kind]:
        raise ExportRefused(
            f"The {kind} encoder's cosine to sentence-transformers falls to {least:.4f}, at least "
            f"{MIN_COSINE[kind]} is needed. Delete the encoder cache and try again."
        )
    return least


def _short(encoder: MadeEncoder, readings: Sequence[Reading]) -> list[str]:
    texts = [reading.request for reading in readings if reading.request.strip()]
    feeds = encoder.feeder().feeds([Reading(request=text) for text in texts])
    sizes = [next(iter(feed.values())).size for feed in feeds]
    return [text for text, size in zip(texts, sizes, strict=True) if size <= 2 * EDGE_TOKENS][:SAMPLE_ROWS]


def _reference_static(encoder: MadeEncoder, texts: list[str]) -> npt.NDArray[np.float32]:
    """Return what sentence-transformers' StaticEmbedding makes of the vectors before they were rounded."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  # seconds of import, for this proof only
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding  # noqa: PLC0415
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(encoder.tokenizer_file))
    module = StaticEmbedding(tokenizer, embedding_weights=np.load(encoder.reference_file))
    model = SentenceTransformer(modules=[module], device="cpu")
    return np.asarray(model.encode(texts, normalize_embeddings=True, show_progress_bar=False))


def _reference_transformer(source: str | None, texts: list[str]) -> npt.NDArray[np.float32]:
    model = load_source(source_folder(source))
    return np.asarray(model.encode(texts, normalize_embeddings=True, show_progress_bar=False))
