"""The student: token vectors, narrow convolutions, a pooling; fast enough to serve, it copies the teacher."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from tqdm import tqdm

from training.tuning.teacher import Targets
from training.tuning.tokens import Tokens, batches, padded

EPOCHS = 4
WIDTH = 96
HIDDEN = 64
KERNEL = 3
_LAYERS = 2
_BATCH = 64
_LEARNING_RATE = 2e-3
_FAR = -1e9


class Student(nn.Module):  # type: ignore[misc]  # torch is not followed by the type checker
    """Token ids to an embedding of HIDDEN values, and from there to one logit per question."""

    def __init__(self, vectors: npt.NDArray[np.float64], questions: int) -> None:
        super().__init__()
        start = vectors[:, :WIDTH]
        scaled = torch.tensor(0.5 * start / start.std(), dtype=torch.float32)
        self.table = nn.Embedding.from_pretrained(scaled, freeze=False)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=KERNEL // 2) for _ in range(_LAYERS)
        )
        self.attention = nn.Linear(WIDTH, 1)
        self.drop = nn.Dropout(0.1)
        self.hidden = nn.Linear(3 * WIDTH, HIDDEN)
        self.out = nn.Linear(HIDDEN, questions)

    def embed(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the embeddings [B, HIDDEN] of padded token ids."""
        real = mask[:, None, :].float()
        tokens = self.table(ids).transpose(1, 2) * real
        found = tokens
        for convolution in self.convolutions:
            found = found + nn.functional.relu(convolution(found)) * real
        loudness = self.attention(found.transpose(1, 2)).squeeze(-1).masked_fill(mask == 0, _FAR)
        pooled = [
            found.masked_fill(real == 0, _FAR).max(2).values,
            (found * loudness.softmax(1)[:, None, :]).sum(2),
            tokens.sum(2) / real.sum(2),
        ]
        return nn.functional.relu(self.hidden(self.drop(torch.cat(pooled, 1))))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return one logit per row and question."""
        found: torch.Tensor = self.out(self.embed(ids, mask))
        return found


def learn(rows: Sequence[Tokens], opinions: Targets, vectors: npt.NDArray[np.float64], seed: int) -> Student:
    """Fit a student to the teacher's logits [N, K-1] on a pool of token rows; `vectors` are its start."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    student = Student(principal(vectors), opinions.shape[1])
    wanted = torch.sigmoid(torch.tensor(opinions))
    optimizer = torch.optim.AdamW(student.parameters(), lr=_LEARNING_RATE, weight_decay=1e-4)
    steps = EPOCHS * -(-len(rows) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _LEARNING_RATE, total_steps=steps, pct_start=0.1
    )
    student.train()
    everything = list(range(len(rows)))
    with tqdm(total=steps, desc="copying", leave=False, disable=None) as bar:
        for _ in range(EPOCHS):
            for batch in batches(rows, everything, _BATCH, rng):
                loss = nn.functional.binary_cross_entropy_with_logits(
                    student(*padded(rows, batch)), wanted[batch]
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
    student.eval()
    return student


def principal(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the vectors along their principal directions, the widest first."""
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ directions[:, ::-1])
