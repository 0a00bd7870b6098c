import subprocess
import sys

import pytest

pytestmark = pytest.mark.gui


@pytest.fixture
def later(qapp):
    from qtpy.QtCore import QObject

    from napari_fetal_iqa.widgets.background.idle_queue import IdleQueue

    parent = QObject()
    yield IdleQueue(parent)
    parent.deleteLater()


def test_jobs_are_done_one_at_a_time_each_once_and_not_at_once(later, qtbot):
    done = []

    def first():
        done.append("first")

    def second():
        done.append("second")

    later.add(first, second)
    later.add(first)
    assert done == []
    assert not later.idle
    while not later.idle:
        qtbot.wait(1)
    assert done == ["first", "second"]


def test_the_window_has_its_turn_between_two_jobs(later, qtbot):
    from qtpy.QtCore import QTimer

    done = []
    later.add(lambda: done.append("job"), lambda: done.append("job"))
    QTimer.singleShot(0, lambda: done.append("window"))
    qtbot.waitUntil(lambda: len(done) == 3)
    assert done != ["job", "job", "window"]


def test_now_does_all_that_was_requested(later):
    done = []
    later.add(lambda: done.append(1), lambda: done.append(2))
    later.now()
    assert done == [1, 2]
    assert later.idle


def test_the_start_waits_for_nothing_that_only_a_sweep_needs():
    code = (
        "import sys, napari_fetal_iqa.widgets\n"
        "print([name for name in ('torch', 'pyqtgraph', 'scipy.ndimage', 'scipy.optimize')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[-2] == "[]"
