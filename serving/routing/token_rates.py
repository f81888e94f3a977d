"""How many tokens each kind of byte, and each run of them, comes to: measured per family of tokenizers.

`expected` is fitted with non-negative least squares over 2,800 texts of 20 tokens or more: the training
corpus (14 kinds of work, several languages), code, prose, JSON, tables of numbers, hexadecimal, base64 and
emoji, counted with the real vocabularies of splintr-rs 0.22 on 2026-11-25. `error` is the 95th percentile of
|expected - counted| / counted over texts not fitted (the median is 0.05 throughout). `at_most` is the
tightest linear bound (and 5 % more) over the whole corpus, code, and runs of marks, numbers and signs that no
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
            0.1478, 0.6298, 0.3218, 0.187, 0.1196, 0.7316, 1.446, 2.9214,
            0.979, 2.3466, 0.7008, 0, 1.5659, 0.7167, 0.3127,
        ),
        0.16,
    ),
    "cl100k": (
        (
            0.0617, 0.219, 0, 0.2269, 0, 0.033, 0.6482, 1.2632,
            1.1947, 3.0579, 0.6135, 0.3362, 1.4292, 0.0681, 0.702,
        ),
        (
            0.1693, 0.5718, 0.3218, 0.1822, 0.1195, 0.716, 1.7595, 3.3083,
            1.6007, 2.9974, 0.8807, 0, 1.5707, 0.7215, 0.1317,
        ),
        0.2,
    ),
    "llama3": (
        (
            0.0614, 0.213, 0, 0.229, 0, 0.0312, 0.4129, 0.6495,
            0.8493, 3.1857, 0.6131, 0.3624, 1.434, 0.0582, 0.7055,
        ),
        (
            0.1671, 0.5697, 0.3219, 0.1703, 0.1195, 0.7159, 1.73, 3.2752,
            1.0529, 2.9913, 0.8829, 0, 1.5824, 0.7334, 0.1436,
        ),
        0.18,
    ),
    "deepseek": (
        (
            0.048, 0.2887, 0, 0.2263, 0.1922, 0.1583, 0.4151, 0.7109,
            0.7731, 1.7813, 0.6707, 0.1867, 1.3554, 0, 0.6525,
        ),
        (
            0.1724, 0.5252, 0.3088, 0.1306, 1.0394, 0.7602, 1.667, 3.1573,
            1.0588, 2.556, 0.8776, 0, 1.635, 0, 0.1389,
        ),
        0.18,
    ),
    "qwen": (
        (
            0.0661, 0.216, 0.6943, 0.1921, 0, 0, 0.4324, 1.1238,
            0.7629, 0.9442, 0.616, 0.3109, 1.112, 0.099, 0.7564,
        ),
        (
            0.171, 0.5733, 1.1125, 0.1909, 0.1196, 0.7161, 1.6943, 2.9251,
            1.0632, 2.6464, 0.879, 0, 0.7712, 0.7127, 0.1229,
        ),
        0.17,
    ),
    "glm": (
        (
            0.0624, 0.2255, 0.0626, 0.1856, 0, 0, 0.3881, 1.2172,
            0.77, 3.0795, 0.6291, 0.2902, 1.6315, 0.1355, 0.7699,
        ),
        (
            0.1652, 0.5678, 0.6382, 0.1596, 0.1195, 0.7158, 1.7405, 3.2923,
            1.2364, 2.9974, 0.8848, 0, 1.2768, 0.7441, 0.1544,
        ),
        0.2,
    ),
    "tekken": (
        (
            0.0712, 0.3226, 0.6175, 0.1316, 0, 0.0906, 0.3797, 0.4975,
            0.8537, 5.1316, 0.6567, 0.1848, 1.2455, 0.2945, 0.7131,
        ),
        (
            0.0962, 0.6894, 1.1323, 0.2576, 1.0375, 0.7726, 1.5997, 3.2285,
            1.2087, 4.1695, 1.0518, 0, 0.6851, 0.7832, 0,
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
