"""The film of a sweep goes by the clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fetal_iqa.review.cine import USUAL_RATE, CineMode, frame_at, rate_of

RUNS = st.integers(0, 500).flatmap(
    lambda start: st.integers(1, 200).map(lambda length: (start, start + length))
)


@given(
    st.floats(0, 1e4), st.floats(0.5, 240), st.integers(-5, 900), RUNS, st.sampled_from(CineMode)
)
def test_it_never_leaves_the_sweep(seconds, rate, begin, bounds, mode):
    assert bounds[0] <= frame_at(seconds, rate, begin, bounds, mode) < bounds[1]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (CineMode.FORWARD, [12, 13, 14, 10, 11, 12, 13]),
        (CineMode.BACKWARD, [12, 11, 10, 14, 13, 12, 11]),
        (CineMode.TO_AND_FRO, [12, 13, 14, 13, 12, 11, 10]),
    ],
)
def test_each_mode_from_the_frame_on_the_screen(mode, expected):
    shown = [frame_at((step + 0.5) / 20, 20, 12, (10, 15), mode) for step in range(7)]
    assert shown == expected


def test_who_looks_late_sees_the_frame_of_then():
    assert frame_at(2.01, 20, 0, (0, 140), CineMode.FORWARD) == 40


@pytest.mark.parametrize(
    ("said", "played"), [(30.0, 30.0), (None, USUAL_RATE), (1e9, USUAL_RATE), (0.01, USUAL_RATE)]
)
def test_the_rate_is_the_files_where_it_can_be(said, played):
    assert rate_of(said) == played
