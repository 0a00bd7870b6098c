"""The line of what the machine does: how far it is, and a time left that is true."""

import pytest
from qtpy.QtCore import QEvent, QObject

from napari_fetal_iqa.analysis.result import AnalysisSetup, ModelRef
from napari_fetal_iqa.widgets.panels import analysis_panel

pytestmark = pytest.mark.gui

SECONDS = 1000


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(analysis_panel.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def panel(qtbot):
    panel = analysis_panel.AnalysisPanel()
    qtbot.addWidget(panel)
    return panel


def test_results_that_come_do_not_draw_the_window_before_the_key_that_waits(panel, qtbot):
    drawn = []

    class Watch(QObject):
        def eventFilter(self, watched, event):
            if event.type() == QEvent.Type.Paint:
                drawn.append(watched.value())
            return False

    watch = Watch()
    panel.begin("Loading the models…")
    with qtbot.waitExposed(panel):
        panel.show()
    panel.advance(1, 840)
    qtbot.waitUntil(lambda: panel.bar.isVisible(), timeout=20 * SECONDS)
    panel.bar.installEventFilter(watch)
    panel.advance(420, 840)
    assert drawn == []
    qtbot.waitUntil(lambda: 420 in drawn, timeout=20 * SECONDS)


def test_loading_the_models_is_no_part_of_the_time_left(panel, clock):
    panel.begin("Loading the models…")
    clock[0] += 70
    panel.advance(10, 840)
    assert panel.doing.text() == "Analysing 10/840"
    clock[0] += 10
    panel.advance(40, 840)  # 3 frames a second
    assert panel.doing.text() == "Analysing 40/840, 4 min left"
    clock[0] += 240
    panel.advance(760, 840)
    assert panel.doing.text() == "Analysing 760/840, 27 s left"


def test_frames_that_were_kept_from_before_are_no_part_of_the_rate(panel, clock):
    panel.begin("Loading the models…")
    panel.advance(800, 840)
    clock[0] += 10
    panel.advance(820, 840)
    assert panel.doing.text() == "Analysing 820/840, 10 s left"


def test_what_is_shown_again_while_it_goes_on_is_no_part_of_the_rate(panel, clock):
    panel.begin("Analysing…")
    panel.show_done(70, 232)
    assert panel.doing.text() == "Analysing 70/232"
    clock[0] += 30  # until the layers are laid out, and the next results come
    panel.advance(72, 232)
    assert panel.doing.text() == "Analysing 72/232"
    clock[0] += 10
    panel.advance(82, 232)
    assert panel.doing.text() == "Analysing 82/232, 2 min left"


def test_the_next_analysis_counts_anew(panel, clock):
    panel.begin("Loading the models…")
    panel.advance(500, 840)
    clock[0] += 1000
    panel.begin("Loading the models…")
    panel.advance(20, 840)
    assert panel.doing.text() == "Analysing 20/840"


def test_what_comes_in_a_burst_is_no_rate(panel, clock):
    panel.begin("Analysing…")
    panel.advance(30, 120)
    clock[0] += 0.02
    panel.advance(39, 120)
    assert panel.doing.text() == "Analysing 39/120"
    clock[0] += 10
    panel.advance(49, 120)  # one frame a second
    assert panel.doing.text() == "Analysing 49/120, 71 s left"


def test_what_must_be_known_of_the_models_stands_there_for_as_long_as_they_speak(panel):
    panel.show()
    notice = "SonoNet16: not validated on blind sweeps. Not for clinical use."
    demo = ModelRef("seg-1", "1" * 64, "demo", demo=True)
    other = ModelRef("cls-1", "2" * 64, "planes")
    panel.show_setup(AnalysisSetup(other, notices=(notice,)))
    assert panel.notice.text() == notice
    assert panel.notice.isVisible()
    panel.show_setup(AnalysisSetup(other, demo, notices=(notice,)))
    assert panel.notice.text().splitlines() == [
        "Demo models: not for clinical use",
        "SonoNet16: not validated on blind sweeps.",
    ]
    panel.show_setup(AnalysisSetup(other))
    assert not panel.notice.isVisible()
