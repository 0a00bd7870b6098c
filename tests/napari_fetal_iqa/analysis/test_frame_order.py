import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_fetal_iqa.analysis.frame_order import FrameQueue, coarse_to_fine
from napari_fetal_iqa.analysis.result import FrameResults, Thresholds


@given(st.integers(0, 300))
def test_coarse_to_fine_gives_each_frame_once(n_frames):
    assert sorted(coarse_to_fine(n_frames)) == list(range(n_frames))


def test_the_first_frames_are_spread_over_the_sweep():
    assert coarse_to_fine(64)[:8] == [0, 16, 32, 48, 8, 24, 40, 56]


@given(
    st.integers(0, 120),
    st.lists(st.tuples(st.integers(-5, 130), st.integers(1, 9)), max_size=60),
)
def test_a_queue_gives_each_frame_once_wherever_one_looks(n_frames, looks):
    queue = FrameQueue(n_frames)
    taken = []
    for frame, count in looks:
        queue.look_at(frame)
        taken += queue.take(count)
    while batch := queue.take(7):
        taken += batch
    assert sorted(taken) == list(range(n_frames))


def test_frames_around_the_one_looked_at_come_first():
    queue = FrameQueue(140, looked_at=50)
    assert sorted(queue.take(9)) == list(range(46, 55))
    queue.look_at(100)
    assert queue.take(3) == [100, 99, 101]


def results_of(frames, quality, area=None):
    frames = np.asarray(frames)
    n = len(frames)
    return FrameResults(
        frames=frames,
        quality=np.asarray(quality, np.float32)[frames],
        area_fraction=None if area is None else np.asarray(area, np.float32)[frames],
        masks=None,
        ac_mm=np.full(n, np.nan),
        non_black=np.ones(n, bool),
        seconds={},
    )


def searched(quality, area=None, bounds=None, batch=4):
    queue = FrameQueue(len(quality), None, bounds)
    order = []
    while taken := queue.take(batch):
        order += taken
        queue.note(results_of(taken, quality, area), Thresholds())
    return order


@given(st.lists(st.floats(0, 1), min_size=1, max_size=150), st.integers(1, 20))
def test_a_search_gives_each_frame_once_whatever_the_scores_say(quality, batch):
    assert sorted(searched(quality, batch=batch)) == list(range(len(quality)))


def test_a_run_is_analysed_whole_as_soon_as_one_frame_of_it_is_found():
    quality = np.full(160, 0.01)
    quality[77:88] = 0.9  # coarse to fine comes on 80 at its sixth frame
    order = searched(quality)
    assert max(map(order.index, range(77, 88))) < 28
    assert max(map(coarse_to_fine(160).index, range(77, 88))) > 120


def test_without_promise_the_order_is_coarse_to_fine():
    assert searched(np.full(70, 0.1)) == coarse_to_fine(70)


def test_what_is_promised_ends_with_its_sweep_and_with_a_small_outline():
    quality = np.full(64, 0.01)
    quality[32] = 0.9
    order = searched(quality, bounds=((0, 32), (32, 64)))
    assert [frame for frame in order if frame % 16][:4] == [33, 34, 35, 36]
    assert not {28, 29, 30, 31} & set(order[:12])
    assert searched(quality, np.zeros(64)) == coarse_to_fine(64)  # no abdomen by its outline


def test_the_frame_on_the_screen_that_was_spared_is_outlined_once():
    queue = FrameQueue(20, looked_at=7)
    area = np.full(20, 0.1)
    area[7] = np.nan
    assert queue.take_spared() == []
    queue.note(results_of([6, 7], np.full(20, 0.01), area), Thresholds())
    assert queue.take_spared() == [7]
    assert queue.take_spared() == []
