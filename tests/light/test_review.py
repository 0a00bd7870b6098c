"""The light installation opens, analyses, reviews, measures, corrects and exports."""

import sys

import numpy as np
import pytest

from fetal_iqa_models import find_compiled
from fetal_iqa_models.built_in import BUILT_IN
from napari_fetal_iqa.analysis import analyse_sweep, write_results
from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.io.acouslic import list_cases
from napari_fetal_iqa.storage.settings import Settings, save_settings

SECONDS = 1000


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_model_of_the_program_lies_compiled(name):
    from napari_fetal_iqa.analysis.models import choose_models

    tasks = (name, None) if name.endswith("cls") else (None, name)
    chosen = next(one for one in vars(choose_models(*tasks)).values() if one)
    assert find_compiled(name, None, chosen.reference.encoder_weights) is not None


def test_a_sweep_is_analysed_and_its_results_are_written(phantom, tmp_path):
    analysis = analyse_sweep(phantom.sweep, "demo-cls", "demo-seg", use_cache=False)
    assert analysis.complete
    assert analysis.setup.engine == "openvino"
    truth = phantom.labels > 0
    assert analysis.quality[truth].mean() > analysis.quality[~truth].mean() + 0.3
    write_results(analysis, tmp_path / "out")
    assert (tmp_path / "out" / "masks.mha").is_file()
    assert (tmp_path / "out" / "timeline.png").is_file()


def test_the_way_through_the_window(window, store, phantom, tmp_path, qtbot):
    save_settings(Settings(reviewer="AK", cls_model="demo-cls", seg_model="demo-seg"))
    path = write_volume(tmp_path / "case.mha", phantom.sweep.frames, phantom.sweep.spacing_mm)
    widget = window()
    widget.open_file(str(path))
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=30 * SECONDS)
    session = widget.presenter.session
    qtbot.waitUntil(
        lambda: session.analysis is not None and session.analysis.complete, timeout=60 * SECONDS
    )
    assert widget.page.analysis.models.text() == "demo-cls, demo-seg, cpu by openvino"

    frame = int(np.argmax((phantom.masks > 0).sum((1, 2))))
    widget.presenter.actions.go(frame)
    qtbot.waitUntil(lambda: "mm" in widget.page.frame.circumference.text())
    widget.presenter.actions.label_optimal()
    widget.presenter.view.overlay.layer.paint((frame, 70, 90), 2)
    identity = session.sweep.identity
    qtbot.waitUntil(lambda: store.corrections(identity).get(frame) is not None)
    assert store.corrections(identity)[frame].label == Label.OPTIMAL

    panel = widget.page.export
    panel.form.set_field("folder", str(tmp_path / "data"))
    panel.export.click()
    qtbot.waitUntil(
        lambda: panel.export.isEnabled() and bool(panel.message.text()), timeout=60 * SECONDS
    )
    assert panel.message.text().startswith("Done: 1 sweep written")
    assert len(list_cases(tmp_path / "data")) == 1

    widget.page.finetuning.expand(animate=False)
    learn = widget.page.finetuning.form
    assert "python3 run.py demo, without --light" in learn.summary.text()
    assert not learn.start.isEnabled()
    assert "torch" not in sys.modules
