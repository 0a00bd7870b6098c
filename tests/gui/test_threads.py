"""Work in threads of its own, without a window."""

import threading

from napari_fetal_iqa.widgets.background.threads import Lane


def test_work_that_is_left_in_the_middle_is_ended_in_its_own_thread(qapp, qtbot):
    began, ended = [], []

    def count():
        began.append(threading.get_ident())
        try:
            while True:
                yield 1
        finally:
            ended.append(threading.get_ident())

    lane = Lane(1)
    worker = lane.worker(count)
    worker.yielded.connect(lambda _: worker.quit())
    with qtbot.waitSignal(worker.finished):
        lane.start(worker)
    assert ended == began != [threading.get_ident()]  # while the worker is still held here
