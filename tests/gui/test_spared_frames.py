"""A frame that the cascade spared the outline says so, and is outlined once it is opened."""

import numpy as np
import pytest

from fetal_iqa_models.cascade_bound import CascadeBound
from napari_fetal_iqa.analysis import cascade
from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.storage.settings import Settings, save_settings
from napari_fetal_iqa.widgets.timeline.data import TimelineData, describe

SECONDS = 1000
BOUND = CascadeBound(
    bound=0.3, positives=1, missed=0, spared=0.5, cases=1, measured_on="a test", model="0" * 64
)


@pytest.mark.timeout(600)
def test_a_spared_frame_says_so_and_is_outlined_once_it_is_opened(
    window, show, phantom, qtbot, monkeypatch
):
    monkeypatch.setattr(cascade, "load_bound", lambda folder: BOUND)
    save_settings(Settings(reviewer="AK", cls_model="demo-cls", seg_model="demo-seg"))
    widget = window()
    show(widget, phantom.sweep)
    qtbot.waitUntil(
        lambda: (
            widget.presenter is not None
            and widget.presenter.session.analysis is not None
            and widget.presenter.session.analysis.complete
            and not widget.runner.running
        ),
        timeout=300 * SECONDS,
    )
    session = widget.presenter.session
    analysis = session.analysis
    near = np.abs(np.arange(len(analysis.computed)) - widget.presenter.view.navigator.frame) > 4
    frame = int(np.flatnonzero(analysis.spared & near)[0])
    assert "not outlined" in describe(TimelineData.of(session), frame)
    view = session.view(frame)
    assert view.label is Label.NONE  # by its quality
    assert "not outlined" in view.not_measured
    assert "were not outlined" in widget.page.analysis.doing.toolTip()

    widget.presenter.view.navigator.go(frame)
    qtbot.waitUntil(lambda: not analysis.spared[frame], timeout=60 * SECONDS)
    assert np.isfinite(analysis.area_fraction[frame])
    assert "not outlined" not in session.view(frame).not_measured
    assert analysis.complete
