from hypothesis import given
from hypothesis import strategies as st

from napari_fetal_iqa.analysis.frame_order import FrameQueue, coarse_to_fine


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
