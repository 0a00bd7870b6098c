"""The words of the frame panel that say which plane a frame shows."""

from napari_fetal_iqa.geometry.biometry import AbdomenMeasurement
from napari_fetal_iqa.review.frame_view import FrameView
from napari_fetal_iqa.review.session import Source
from napari_fetal_iqa.widgets.panels.frame_panel import FramePanel


def measure() -> AbdomenMeasurement | str:
    return "no outline"


def view(plane):
    return FrameView(3, 0, 3, 0.9, None, None, Source.NOBODY, Source.NOBODY, measure, plane)


def test_the_plane_stands_beside_the_frame_where_the_model_names_planes(qtbot):
    panel = FramePanel()
    qtbot.addWidget(panel)
    panel.show()
    assert not panel.plane.isVisible()
    panel.resize(360, 500)
    without = panel.sizeHint().height()
    panel.show_frame(view("<b>Brain</b> (Cb.)"))
    assert panel.plane.isVisible()
    assert panel.plane.text() == "Plane: <b>Brain</b> (Cb.)"  # a stranger's words, as they are
    assert "CLS model" in panel.plane.toolTip()
    height = panel.sizeHint().height()
    panel.show_frame(view(""))
    assert panel.plane.text() == "Plane: –"
    # nothing below moves, neither while frames go by nor by the words being there at all
    assert panel.sizeHint().height() == height == without
    panel.show_frame(view(None))
    assert not panel.plane.isVisible()
    panel.show_frame(view("abdomen"))
    panel.show_nothing()
    assert not panel.plane.isVisible()
