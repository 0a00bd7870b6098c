"""The line below the frame can be read, whatever the theme."""

import numpy as np
import pytest


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_line_is_legible_in_either_theme(desk, qtbot, theme):
    viewer, text = desk.viewer, desk._screen_text
    viewer.theme = theme
    viewer.layers[0].visible = False  # beside the frame, on the bare canvas
    text.say("AC 123.4 mm")
    qtbot.waitUntil(lambda: viewer.canvas.overlays.text.text == text.said, timeout=20_000)

    canvas = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    corner = canvas[-40:, :200]

    assert np.ptp(corner.sum(2)) > 300
