"""Work in threads of its own, without a window."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets.background.tasks import is_prepared, prepare_sweep
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


class CountedFrames:
    """Frames that count how often they are read."""

    def __init__(self):
        self._pixels = np.full((4, 30, 40), 5, np.uint8)
        self.shape, self.ndim, self.dtype = self._pixels.shape, 3, self._pixels.dtype
        self.read = 0

    def __len__(self):
        return len(self._pixels)

    def __getitem__(self, index):
        self.read += 1
        return self._pixels[index]

    def __iter__(self):
        return map(self.__getitem__, range(len(self)))


def test_a_sweep_that_two_threads_prepare_is_looked_through_once():
    alone, shared = SweepVolume(CountedFrames()), SweepVolume(CountedFrames())
    prepare_sweep(alone)
    both = threading.Barrier(2)

    def prepare(_):
        both.wait(30)
        return is_prepared(prepare_sweep(shared))

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(prepare, range(2))) == [True, True]
    assert shared.frames.read == alone.frames.read > 0
