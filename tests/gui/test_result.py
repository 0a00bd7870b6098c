"""The result of a case at the desk: an age that is kept, a centile, a page, DICOM and back."""

import shutil

import numpy as np
import pydicom
import pypdfium2
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.widgets.result.desk import read_dating
from napari_fetal_iqa.widgets.result.jobs import ReportWish

SECONDS = 1000
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def outlined(review, phantom):
    """A review whose reviewer outlined the phantom's abdomen in one frame."""
    frame = int(np.argmax(phantom.labels == Label.OPTIMAL))
    session = review.presenter.session
    session.set_label([frame], Label.OPTIMAL)
    session.set_mask(frame, phantom.masks[frame] > 0)
    review.presenter.actions.go(frame)
    return review


def said(widget, words, qtbot):
    doing = widget.page.result.doing
    qtbot.waitUntil(lambda: words in doing.text(), timeout=60 * SECONDS)


def test_an_age_by_dates_is_kept_and_ranks_the_frame_by_the_chart(outlined, store, phantom, qtbot):
    panel, identity = outlined.page.result, phantom.sweep.identity
    panel.expand(animate=False)
    assert panel.age.text() == "not entered, so that there is no centile"
    assert not panel.keep.isEnabled()
    panel.typed.setText("three months")
    panel.keep.click()
    assert "27w3d" in panel.doing.text()
    assert store.age(identity) is None
    panel.typed.setFocus()  # elsewhere Enter is a key of the review
    qtbot.waitUntil(panel.typed.hasFocus, timeout=20 * SECONDS)
    panel.typed.setText("27w3d")
    qtbot.keyClick(panel.typed, Qt.Key.Key_Return)
    assert store.age(identity) == Dating("weeks", 192)
    assert panel.age.text() == "27w3d (as entered)"
    qtbot.waitUntil(lambda: "INTERGROWTH-21st" in panel.growth.text(), timeout=20 * SECONDS)
    assert "at 27w3d; age by dates" in panel.growth.text()
    assert "at 27w3d" in outlined.page.frame.circumference.text()
    before = panel.growth.text()
    panel.chart.setCurrentIndex(1)
    panel.chart.activated.emit(1)
    assert "Hadlock" in panel.growth.text()
    assert panel.growth.text() != before

    panel.way.setCurrentIndex(1)
    assert not panel.examined.isHidden()
    panel.typed.setText("2026-05-25")
    panel.keep.click()
    assert "day of the examination is missing" in panel.doing.text()
    panel.examined.setText("2026-11-30")
    panel.keep.click()
    assert store.age(identity) == Dating("LMP", 189)
    layer = outlined.layer
    outlined.viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: outlined.presenter is None, timeout=20 * SECONDS)
    assert panel.age.text().startswith("not entered")  # nothing of the sweep before
    outlined.viewer.add_layer(layer)
    qtbot.waitUntil(lambda: outlined.presenter is not None, timeout=20 * SECONDS)
    assert panel.age.text() == "27w0d (by LMP)"
    panel.forget.click()
    assert store.age(identity) is None
    assert panel.growth.text() == ""


def test_dates_are_read_and_never_guessed():
    assert read_dating("EDD", "2027-03-01", "2026-11-30") == Dating("EDD", 189)
    with pytest.raises(ValueError, match="write a date as"):
        read_dating("LMP", "25/05/2026", "2026-11-30")


def test_a_report_is_made_beside_the_window_and_says_where_it_is(
    outlined, store, press, tmp_path, qtbot
):
    panel, desk = outlined.page.result, outlined.result
    out = tmp_path / "page.pdf"
    store.judge(outlined.presenter.session.sweep.identity, 3, "stomach", True, "AK")
    press(outlined, Qt.Key.Key_P, CTRL)
    dialog = desk.dialog
    dialog.place.setText(str(out))
    dialog.name.setText("Mary Doe")
    assert dialog.make.text() == "Save"
    dialog.accept()
    assert dialog.name.text() == ""
    assert not panel.bar.isHidden()
    said(outlined, f"Saved in {out}", qtbot)
    assert panel.bar.isHidden()
    assert not panel.open.isHidden()
    text = pypdfium2.PdfDocument(out)[0].get_textpage().get_text_range()
    assert "Mary Doe" in text
    assert "Reviewer" in text
    for kept in (*tmp_path.rglob("*.json"), *tmp_path.rglob("*.sqlite")):
        assert b"Mary" not in kept.read_bytes()
    press(outlined, Qt.Key.Key_P, CTRL)
    desk.dialog.place.setText(str(out))
    assert desk.dialog.make.text() == "Replace"
    desk.dialog.reject()
    desk.make_report(ReportWish(tmp_path / "no" / "page.pdf"))
    said(outlined, "there is no such folder", qtbot)
    assert "Nothing was saved" in panel.doing.text()


def test_nothing_to_report_is_said_and_no_dialog_opens(review, press, qtbot):
    panel = review.page.result
    assert not panel.report.isEnabled()
    assert "analyse the sweep first" in panel.report.toolTip()
    press(review, Qt.Key.Key_P, CTRL)
    assert review.result.dialog is None
    assert "Nothing to report yet" in panel.doing.text()
    press(review, Qt.Key.Key_D, CTRL)
    assert review.result.dialog is None


def test_from_dicom_into_the_window_and_back_to_dicom(
    outlined, window, show, store, press, tmp_path, qtbot
):
    """The images that an export makes are opened, reviewed, and referred to by the next export."""
    first, images, again = (tmp_path / name for name in ("first", "images", "again"))
    mask = outlined.presenter.session.mask(outlined.presenter.view.navigator.frame)
    press(outlined, Qt.Key.Key_D, CTRL)
    outlined.result.dialog.place.setText(str(first))
    outlined.result.dialog.accept()
    said(outlined, f"in {first}", qtbot)
    images.mkdir()
    for image in sorted(first.glob("image-*.dcm")):
        shutil.copy(image, images)
    made = {pydicom.dcmread(path).SOPInstanceUID for path in images.iterdir()}

    sweep = read_sweep(images)
    assert sweep.shape == outlined.presenter.session.sweep.shape
    assert sweep.spacing_mm == pytest.approx(outlined.presenter.session.sweep.spacing_mm)
    assert np.array_equal(
        np.asarray(sweep.frames[:3]), np.asarray(outlined.presenter.session.sweep.frames[:3])
    )
    frame = outlined.presenter.view.navigator.frame
    outlined.viewer.layers.remove(outlined.layer)
    qtbot.waitUntil(lambda: outlined.presenter is None, timeout=20 * SECONDS)
    show(outlined, sweep)
    session = outlined.presenter.session
    session.set_label([frame], Label.OPTIMAL)
    session.set_mask(frame, mask)
    session.age = Dating("LMP", 189)
    outlined.result.make_dicom(again)
    said(outlined, f"in {again}", qtbot)
    assert not list(again.glob("image-*"))  # the source is there already
    found = pydicom.dcmread(again / "segmentation-1.dcm")
    (of_frame,) = found.PerFrameFunctionalGroupsSequence
    (source,) = of_frame.DerivationImageSequence[0].SourceImageSequence
    assert source.ReferencedSOPInstanceUID in made
    sweep_number, place = sweep.locate(frame)
    image = pydicom.dcmread(images / f"image-1-{sweep_number + 1}.dcm")
    assert (source.ReferencedSOPInstanceUID, source.ReferencedFrameNumber) == (
        image.SOPInstanceUID,
        place + 1,
    )
    assert np.array_equal(found.pixel_array.astype(bool).squeeze(), mask)
    assert b"27w0d (by LMP)" in (again / "report.dcm").read_bytes()
    with CorrectionStore(store.path, "ro") as reopened:
        assert reopened.age(sweep.identity) == Dating("LMP", 189)


def test_what_is_made_can_be_cancelled(outlined, tmp_path, qtbot):
    desk, out = outlined.result, tmp_path / "page.pdf"
    desk.make_report(ReportWish(out))
    assert "being made" in desk.when_closed()
    outlined.page.result.cancel.click()
    assert outlined.page.result.doing.text() == "Cancelled, nothing was saved"
    assert desk.when_closed() == ""


def test_the_export_says_whose_patient_goes_along(outlined, monkeypatch):
    sweep = outlined.presenter.session.sweep
    for source, goes in (("DICOM", True), ("DICOM folder", True), ("MetaImage", False)):
        monkeypatch.setitem(vars(sweep), "source_format", source)
        outlined.result.ask_dicom()
        said = " ".join(label.text() for label in outlined.result.dialog.findChildren(QLabel))
        assert ("belong to the patient" in said) is goes
        assert ("without a patient" in said) is not goes
        outlined.result.dialog.reject()
