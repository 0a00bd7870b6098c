"""Each sweep has the models that suit it, where nobody chose one; the window says which."""

import html
import sys
from dataclasses import replace

import numpy as np
import pytest

from fetal_iqa_models.built_in import BUILT_IN
from napari_fetal_iqa.model_library.automatic import SUITED, automatic_words
from napari_fetal_iqa.storage.settings import Settings, save_settings
from napari_fetal_iqa.sweep import SweepVolume

SECONDS = 1000
TASKS = ("cls", "seg")


@pytest.mark.timeout(600)
def test_the_window_says_which_models_speak_and_what_they_are_good_for(
    window, show, phantom, qtbot
):
    save_settings(Settings(reviewer="AK"))
    widget = window()
    frames = np.random.default_rng(0).integers(20, 200, (2, 60, 80), dtype=np.uint8)
    few = replace(phantom.sweep, frames=phantom.sweep.frames[:2], bounds=())
    panel = widget.page.analysis
    for sweep, kind in ((SweepVolume(frames, (0.5, 0.5), name="real"), "real"), (few, "phantom")):
        show(widget, sweep)
        qtbot.waitUntil(
            lambda sweep=sweep: (
                (shown := widget.presenter)
                and shown.session.sweep is sweep
                and shown.session.analysis is not None
                and shown.session.analysis.complete
                and not widget.runner.running
            ),
            timeout=300 * SECONDS,
        )
        names = [SUITED[kind][task] for task in TASKS]
        assert panel.models.text().startswith(", ".join(names))
        for name in names:
            assert BUILT_IN[name].good_for in html.unescape(panel.models.toolTip())
            if said := BUILT_IN[name].notice:
                assert said.split(".")[0] in panel.notice.text()
        assert "clinical use" in panel.notice.text()
        assert panel.notice.isVisibleTo(panel)
        assert widget.page.stale.isHidden()
    for task in TASKS:
        label = widget.page.settings.models[f"{task}_model"]
        assert label.text() == "automatic"
        assert automatic_words(task) in label.toolTip()
    assert "torch" not in sys.modules
