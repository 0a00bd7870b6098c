"""The section Export: all corrections as a data set, without holding the window up."""

import numpy as np
from napari.layers import Labels

from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.geometry.caliper import Caliper
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.io.acouslic import list_cases
from napari_fetal_iqa.storage.paths import remember_location
from napari_fetal_iqa.widgets.panels.export_panel import ExportPanel

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

    first, *why = panel.message.text().splitlines()
    assert first == "Nothing was written to data"
    assert "no corrections to export" in "".join(why)
    assert not (tmp_path / "data").exists()


def test_an_export_that_is_killed_says_that_it_says_nothing(review, tmp_path, qtbot):
    panel = review.page.export
    panel.form.set_field("folder", str(tmp_path / "data"))
    panel.export.click()
    panel._process.kill()
    qtbot.waitUntil(lambda: done(panel), timeout=60 * SECONDS)
    first, why = panel.message.text().splitlines()
    assert first == "Nothing was written to data"
    assert "without saying why" in why


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


def test_what_was_written_is_counted_and_what_is_missing_is_said_whole(store, tmp_path, qtbot):
    folder = tmp_path / "exam" / "A"
    folder.mkdir(parents=True)
    for number in range(2):
        path = folder / f"Sweep_{number}.mha"
        frames = np.random.default_rng(number).integers(20, 255, (24, 60, 80), dtype=np.uint8)
        write_volume(path, frames, (0.5, 0.5))
        sweep = read_sweep(path)
        remember_location(sweep.identity, path)
        store.add_sweep(sweep)
        store.set_label(sweep.identity, 5, Label.OPTIMAL, "AK")
    store.set_caliper(sweep.identity, 5, Caliper(((10.0, 20.0), (10.0, 40.0))), "AK")
    path.rename(tmp_path / "moved.mha")
    panel = ExportPanel(lambda: store.path)
    qtbot.addWidget(panel)

    panel.form.set_field("folder", str(tmp_path / "data"))
    panel.export.click()
    qtbot.waitUntil(lambda: done(panel), timeout=60 * SECONDS)

    text = panel.message.text()
    assert text.startswith("Done: 1 sweep written to data, and 1 free caliper\n")
    assert f"{path}: is gone" in text
    assert "give the folder of the original as 'Moved sweeps'" in text
    assert "--" not in text
    assert "\n1 of 2 sweeps could not be exported" in text
