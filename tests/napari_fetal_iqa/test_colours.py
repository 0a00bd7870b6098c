"""Our colours on any background: as much contrast as is needed, and the same hue."""

import colorsys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fetal_iqa import colours

any_colour = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    # WebAIM's contrast checker; the last is the W3C's own example of what just suffices
    [("#000000", "#ffffff", 21), ("#ffffff", "#ffffff", 1), ("#767676", "#ffffff", 4.54)],
)
def test_contrast_is_that_of_the_wcag(one, other, expected):
    assert colours.contrast(one, other) == pytest.approx(expected, abs=0.005)
    assert colours.contrast(other, one) == colours.contrast(one, other)


@given(any_colour, st.sampled_from(colours.ALL), st.sampled_from([3.0, 4.5]))
def test_a_colour_gets_the_contrast_that_it_needs_on_any_background(background, colour, needed):
    changed = colours.legible(colour, background, needed)
    assert colours.contrast(changed, background) >= needed
    if colours.contrast(colour, background) >= needed:
        assert changed == colour


@given(any_colour, st.sampled_from(colours.ALL))
def test_a_colour_keeps_its_hue_unless_it_becomes_black_or_white(background, colour):
    def hue(name):
        return colorsys.rgb_to_hls(*(part / 255 for part in colours._channels(name)))

    before, after = hue(colour), hue(colours.legible(colour, background, 3.0))
    if before[2] > 0.2 and 0.2 < after[1] < 0.8:
        assert after[0] == pytest.approx(before[0], abs=0.03)
