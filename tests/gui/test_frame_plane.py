"""The line of the frame panel that says which plane a frame shows."""

from napari_fetal_iqa.geometry.biometry import AbdomenMeasurement
from napari_fetal_iqa.review.frame_view import FrameView
from napari_fetal_iqa.review.session import Source
from napari_fetal_iqa.widgets.panels.frame_panel import FramePanel


def measure() -> AbdomenMeasurement | str:
    return "no outline"


def view(plane):
    return FrameView(3, 0, 3, 0.9, None, None, Source.NOBODY, Source.NOBODY, measure, plane)


def test_the_plane_is_a_line_of_its_own_where_the_model_names_planes(qtbot):
    panel = FramePanel()
    qtbot.addWidget(panel)
    panel.show()
    assert not panel.plane.isVisible()
    panel.show_frame(view("<b>Brain</b> (Cb.)"))
    assert panel.plane.isVisible()
    assert panel.plane.text() == "Plane: <b>Brain</b> (Cb.)"  # a stranger's words, as they are
    assert "CLS model" in panel.plane.toolTip()
    height = panel.sizeHint().height()
    panel.show_frame(view(""))
    assert panel.plane.text() == "Plane: –"
    assert panel.sizeHint().height() == height  # nothing below moves while frames go by
    panel.show_frame(view(None))
    assert not panel.plane.isVisible()
    panel.show_frame(view("abdomen"))
    panel.show_nothing()
    assert not panel.plane.isVisible()
