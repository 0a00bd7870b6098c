"""The section Export: all corrections as a data set, without holding the window up."""

import numpy as np
from napari.layers import Labels

from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.io.acouslic import list_cases

SECONDS = 1000


def done(panel) -> bool:
    return panel.export.isEnabled() and bool(panel.message.text())


def test_corrections_become_a_data_set(
    window, show, tiny_settings, phantom, store, tmp_path, qtbot
):
    path = tmp_path / "patient.mha"
    write_volume(path, phantom.sweep.frames, phantom.sweep.spacing_mm)
    widget = window()
    show(widget, read_sweep(path))
    frame = int(np.argmax((phantom.masks > 0).sum((1, 2))))
    widget.presenter.actions.go(frame)
    widget.presenter.actions.label_optimal()
    outline = widget.presenter.view.overlay.layer
    assert isinstance(outline, Labels)
    outline.paint((frame, 70, 90), 2)
    qtbot.waitUntil(lambda: bool(store.corrections(widget.presenter.session.sweep.identity)))
    panel = widget.page.export

    panel.form.set_field("folder", str(tmp_path / "data"))
    panel.export.click()
    assert not panel.export.isEnabled()
    assert panel.cancel.isVisibleTo(panel)
    qtbot.waitUntil(lambda: done(panel), timeout=60 * SECONDS)

    assert panel.message.text().splitlines()[0] == "Done: 1 sweep written to data"
    (case,) = list_cases(tmp_path / "data")
    assert "patient" not in case.uuid


def test_nothing_to_export_is_one_line(review, tmp_path, qtbot):
    panel = review.page.export

    panel.form.set_field("folder", str(tmp_path / "data"))
    panel.export.click()
    qtbot.waitUntil(lambda: done(panel), timeout=60 * SECONDS)

    assert "no corrections to export" in panel.message.text()
    assert not (tmp_path / "data").exists()


def test_an_export_that_is_cancelled_leaves_the_window_ready(review, tmp_path):
    panel = review.page.export

    panel.form.set_field("folder", str(tmp_path / "data"))
    panel.export.click()
    panel.cancel.click()

    assert panel.export.isEnabled()
    assert not panel.cancel.isVisibleTo(panel)
    assert panel.message.text().startswith("Cancelled")


def test_without_a_folder_the_button_says_what_is_missing(review, tmp_path):
    panel = review.page.export
    assert not panel.export.isEnabled()
    assert "folder" in panel.export.toolTip()
    panel.form.set_field("folder", str(tmp_path))
    assert panel.export.isEnabled()
