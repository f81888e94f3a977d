"""No sum of money is rounded, and what is unknown never counts as nothing."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from serving.routing.catalog import Deployment
from serving.routing.prices import Prices, picodollars_per_token, usd

prices = st.decimals(0, 1_000, places=6)
tokens = st.integers(0, 10_000_000)


@given(prices, prices, tokens, tokens)
def test_a_cost_is_what_decimal_arithmetic_says(dear, cheap, sent, written):
    row = Deployment(
        "a", "a", "demo", "economy", {}, usd_per_million_input=dear, usd_per_million_output=cheap
    )
    assert Decimal(row.prices.picodollars(sent, written)) / 10**12 == (dear * sent + cheap * written) / 10**6


@given(prices)
def test_a_price_read_as_a_float_is_the_price_that_was_written(price):
    assert picodollars_per_token(float(price)) == picodollars_per_token(price) == int(price * 10**6)


@given(st.integers(0, 999_999_999_999_999))
def test_a_cost_is_shown_to_the_last_digit(picodollars):
    assert Decimal(repr(usd(picodollars))) == Decimal(picodollars) / 10**12


KNOWN = Prices(1_000, 2_000, cached_read=100, cached_write=1_250, reasoning=3_000)


def test_each_kind_of_token_has_its_price():
    assert KNOWN.picodollars(100, 10) == 120_000
    assert KNOWN.picodollars(100, 10, cached_input_tokens=50) == 75_000
    assert KNOWN.picodollars(100, 10, cached_input_tokens=50, cache_write_input_tokens=50) == 87_500
    assert KNOWN.picodollars(100, 10, reasoning_tokens=5) == 125_000


def test_an_unknown_price_is_never_nothing():
    assert Prices(1_000, None).picodollars(1, 0) is None
    assert Prices(None, 1_000).picodollars(0, 1) is None
    without = Prices(1_000, 2_000)
    assert without.picodollars(100, 10, cached_input_tokens=50) == 120_000
    assert without.picodollars(100, 10, cache_write_input_tokens=1) is None
    assert without.picodollars(100, 10, reasoning_tokens=5) == 120_000


@given(st.tuples(tokens, tokens, tokens, tokens, tokens))
def test_a_provider_that_counts_oddly_never_makes_a_cost_negative(counts):
    assert KNOWN.picodollars(*counts) >= 0
