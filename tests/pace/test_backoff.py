"""The wait before the provider is asked again."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from wanbatch.pace.backoff import backoff_s, wait_after_429_s


@given(st.integers(0, 100), st.randoms(use_true_random=False))
def test_a_backoff_is_a_second_to_a_minute(failures: int, rng: Random) -> None:
    assert 1 <= backoff_s(failures, rng) <= 60


@given(st.integers(0, 100), st.randoms(use_true_random=False))
def test_after_a_429_wanbatch_waits_as_long_as_the_provider_says_and_a_second_more_at_most(
    row: int, rng: Random
) -> None:
    assert 900 <= wait_after_429_s(row, 900.0, rng) <= 901
