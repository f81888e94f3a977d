"""How many tokens each kind of byte, and each run of them, comes to: measured per family of tokenizers.

`expected` is fitted with non-negative least squares over 2,800 texts of 20 tokens or more: the training
corpus (14 kinds of work, several languages), code, prose, JSON, tables of numbers, hexadecimal, base64 and
emoji, counted with the real vocabularies of splintr-rs 0.22 on 2026-11-25. `error` is the 95th percentile of
|expected - counted| / counted over texts not fitted (the median is 0.05 throughout). `at_most` is the
tightest linear bound (and 7 % more) over the whole corpus, code, and runs of marks, numbers and signs that no
language has: `python -m tests.benchmarks.token_bounds` fits it again.
`tests/serving/routing/test_tokens.py` counts again.

No vocabulary of Claude or Gemini is public, so theirs are o200k times a factor: an assumption, and stated so.
"""

from __future__ import annotations

UNKNOWN_FAMILY = "unknown"

# The order of the numbers below.
COUNTED = (
    *("lower", "upper", "digit", "space", "line", "mark", "two_byte", "three_byte", "ideograph", "four_byte"),
    *("lower_runs", "upper_runs", "digit_runs", "line_runs", "mark_runs"),
)

# family: (expected tokens for each, at most for each, error)
RATES: dict[str, tuple[tuple[float, ...], tuple[float, ...], float]] = {
    "o200k": (
        (
            0.0588, 0.2244, 0, 0.2306, 0, 0.0781, 0.3486, 0.3865,
            0.8522, 1.7716, 0.5975, 0.3419, 1.4301, 0.1391, 0.6608,
        ),
        (
            0.1325, 0.5968, 0.2714, 0.2439, 0.0898, 0.6649, 1.3218, 2.8493,
            0.8764, 2.3052, 0.529, 0, 1.5349, 0.6435, 0.4853,
        ),
        0.16,
    ),
    "cl100k": (
        (
            0.0617, 0.219, 0, 0.2269, 0, 0.033, 0.6482, 1.2632,
            1.1947, 3.0579, 0.6135, 0.3362, 1.4292, 0.0681, 0.702,
        ),
        (
            0.1484, 0.4254, 0.3051, 0.0728, 0.0894, 0.6494, 1.7773, 3.4052,
            1.4712, 2.9798, 0.9014, 0, 1.6716, 0.8151, 0.2829,
        ),
        0.2,
    ),
    "llama3": (
        (
            0.0614, 0.213, 0, 0.229, 0, 0.0312, 0.4129, 0.6495,
            0.8493, 3.1857, 0.6131, 0.3624, 1.434, 0.0582, 0.7055,
        ),
        (
            0.1579, 0.4717, 0.2919, 0.1191, 0.0895, 0.6491, 1.7099, 3.3134,
            0.9495, 2.9736, 0.7934, 0, 1.6386, 0.7686, 0.3354,
        ),
        0.18,
    ),
    "deepseek": (
        (
            0.048, 0.2887, 0, 0.2263, 0.1922, 0.1583, 0.4151, 0.7109,
            0.7731, 1.7813, 0.6707, 0.1867, 1.3554, 0, 0.6525,
        ),
        (
            0.0837, 0.2454, 0.3526, 0.3191, 1.027, 0.704, 1.4085, 2.9425,
            0.9022, 2.3488, 0.9081, 0.4845, 1.379, 0, 0.041,
        ),
        0.18,
    ),
    "qwen": (
        (
            0.0661, 0.216, 0.6943, 0.1921, 0, 0, 0.4324, 1.1238,
            0.7629, 0.9442, 0.616, 0.3109, 1.112, 0.099, 0.7564,
        ),
        (
            0.1213, 0.3713, 1.1432, 0.2955, 0.0899, 0.6499, 1.5287, 2.7944,
            0.8794, 2.5226, 0.8178, 0.3496, 0.6118, 0.5917, 0.1712,
        ),
        0.17,
    ),
    "glm": (
        (
            0.0624, 0.2255, 0.0626, 0.1856, 0, 0, 0.3881, 1.2172,
            0.77, 3.0795, 0.6291, 0.2902, 1.6315, 0.1355, 0.7699,
        ),
        (
            0.1143, 0.4604, 0.632, 0.1542, 0.0896, 0.6498, 1.675, 3.2851,
            1.0782, 2.9798, 0.9377, 0, 1.2636, 0.7334, 0.1991,
        ),
        0.2,
    ),
    "tekken": (
        (
            0.0712, 0.3226, 0.6175, 0.1316, 0, 0.0906, 0.3797, 0.4975,
            0.8537, 5.1316, 0.6567, 0.1848, 1.2455, 0.2945, 0.7131,
        ),
        (
            0.0832, 0.6028, 1.1588, 0.217, 1.025, 0.6848, 1.544, 3.2488,
            1.0801, 4.1742, 0.9868, 0, 0.6743, 0.8098, 0.0837,
        ),
        0.15,
    ),
}  # fmt: skip

# family: (the family it is taken from, factor for expected, factor for at most, error)
ASSUMED: dict[str, tuple[str, float, float, float]] = {
    # platform.claude.com: the tokenizer since Opus 4.7 counts 1.0 to 1.35 times what the one before did
    "claude": ("o200k", 1.35, 1.6, 0.4),
    # ai.google.dev: a token is about 4 characters of English, as it is for o200k
    "gemini": ("o200k", 1.1, 1.35, 0.4),
}
