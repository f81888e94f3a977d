"""The teacher: a sentence-transformers model fitted to the labels, all of its layers; too slow to serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from tqdm import tqdm

from training.tuning.tokens import Tokens, batches, padded

EPOCHS = 4
_BATCH = 32
_READING_BATCH = 128
_LEARNING_RATE = 5e-5
_HEAD_LEARNING_RATE = 1e-3
# Vectors of length one say too little to a fresh linear layer.
_SCALE = 8.0

Targets = npt.NDArray[np.float32]


class Teacher(nn.Module):  # type: ignore[misc]  # torch is not followed by the type checker
    """The transformer, its outputs averaged, and two layers on top: one logit per question.

    `frame` are the special tokens before and after a text.
    """

    def __init__(self, transformer: Any, frame: tuple[int, int], questions: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.frame = frame
        width = int(transformer.config.hidden_size)
        self.head = nn.Sequential(
            nn.Dropout(0.1), nn.Linear(width, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, questions)
        )

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return one logit per row and question, [B, K-1]."""
        hidden = self.transformer(input_ids=ids, attention_mask=mask).last_hidden_state
        mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        found: torch.Tensor = self.head(nn.functional.normalize(mean, dim=1) * _SCALE)
        return found


def teach(source: Any, rows: Sequence[Tokens], targets: Targets, weights: Targets, seed: int) -> Teacher:
    """Fit a teacher to targets [N, K-1] in 0..1 (NaN: unanswered) with a weight per row."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    tokenizer = source.tokenizer
    frame = (tokenizer.cls_token_id, tokenizer.sep_token_id)
    teacher = Teacher(source[0].auto_model, frame, targets.shape[1])
    framed = framed_rows(rows, frame)
    groups = [
        {"params": teacher.transformer.parameters(), "lr": _LEARNING_RATE},
        {"params": teacher.head.parameters(), "lr": _HEAD_LEARNING_RATE},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    everything = list(range(len(rows)))
    steps = EPOCHS * -(-len(rows) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [_LEARNING_RATE, _HEAD_LEARNING_RATE], total_steps=steps, pct_start=0.1
    )
    wanted, weigh = torch.tensor(targets), torch.tensor(weights)
    teacher.train()
    with tqdm(total=steps, desc="teaching", leave=False, disable=None) as bar:
        for _ in range(EPOCHS):
            for batch in batches(framed, everything, _BATCH, rng):
                loss = answered_loss(teacher(*padded(framed, batch)), wanted[batch], weigh[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
    teacher.eval()
    return teacher


def framed_rows(rows: Sequence[Tokens], frame: tuple[int, int]) -> list[Tokens]:
    """Return each row between the special tokens of the model."""
    return [[frame[0], *row, frame[1]] for row in rows]


def answered_loss(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted cross-entropy over the questions that the rows answer."""
    asked = ~torch.isnan(targets)
    losses = nn.functional.binary_cross_entropy_with_logits(
        logits, torch.where(asked, targets, torch.zeros_like(targets)), reduction="none"
    )
    shares = asked * weights[:, None]
    return (losses * shares).sum() / shares.sum().clamp(min=1e-6)


def opinions(teacher: Teacher, rows: Sequence[Tokens]) -> Targets:
    """Return the teacher's logits, float32 [N, K-1]."""
    framed = framed_rows(rows, teacher.frame)
    found = np.zeros((len(rows), teacher.head[-1].out_features), dtype=np.float32)
    parts = batches(framed, list(range(len(rows))), _READING_BATCH, np.random.default_rng(0))
    with torch.inference_mode():
        for batch in tqdm(parts, "asking the teacher", leave=False, disable=None):
            found[batch] = teacher(*padded(framed, batch)).numpy()
    return found


def token_vectors(teacher: Teacher, tokens: int) -> npt.NDArray[np.float64]:
    """Return what the fitted transformer makes of every token alone, [V, width]."""
    found = []
    with torch.inference_mode():
        for start in range(0, tokens, 512):
            ids = torch.arange(start, min(start + 512, tokens))
            framed = torch.stack(
                [torch.full_like(ids, teacher.frame[0]), ids, torch.full_like(ids, teacher.frame[1])], dim=1
            )
            hidden = teacher.transformer(input_ids=framed, attention_mask=torch.ones_like(framed))
            found.append(hidden.last_hidden_state.mean(dim=1).numpy())
    return np.concatenate(found).astype(np.float64)
