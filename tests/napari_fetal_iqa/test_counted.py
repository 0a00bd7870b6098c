"""Counts in words."""

import pytest

from napari_fetal_iqa.counted import counted


@pytest.mark.parametrize(("count", "words"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames")])
def test_one_is_no_plural(count, words):
    assert counted(count, "frame") == words
