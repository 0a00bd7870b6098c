"""The way through the frames to review, forth and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fetal_iqa.review.queue import ReviewQueue


@pytest.fixture
def requests():
    return []


@pytest.fixture
def waiting():
    return [12, 3, 8]


@pytest.fixture
def queue(waiting, requests):
    def ask():
        requests.append(1)
        return list(waiting)

    return ReviewQueue(ask)


def test_forward_goes_by_worth_and_round(queue):
    frame, way = 0, []
    for _ in range(7):
        frame = queue.forward(frame)
        way.append(frame)
    assert way == [12, 3, 8, 12, 3, 8, 12]


def test_back_goes_the_way_that_was_gone(queue):
    assert [queue.forward(0), queue.forward(12), queue.forward(3)] == [12, 3, 8]
    assert [queue.back(8), queue.back(3), queue.back(12), queue.back(0)] == [3, 12, 0, None]


def test_after_going_back_forward_leads_on_to_what_was_left(queue):
    queue.forward(0)
    queue.forward(12)
    assert queue.back(3) == 12
    assert queue.forward(12) == 3
    assert queue.forward(3) == 8


def test_a_corrected_frame_is_passed_by_forward_and_found_by_back(queue, waiting):
    queue.forward(0)
    waiting.remove(12)
    queue.forget()
    assert queue.forward(12) == 3
    assert queue.back(3) == 12


def test_nothing_else_to_go_to(queue, waiting):
    waiting[:] = [3]
    assert queue.forward(3) is None
    assert queue.forward(0) == 3
    waiting.clear()
    queue.forget()
    assert queue.forward(3) is None


def test_a_restart_forgets_the_way(queue):
    queue.forward(0)
    queue.forward(12)
    queue.restart()
    assert queue.back(3) is None
    assert queue.forward(3) == 12


def test_the_order_is_requested_only_when_it_may_have_changed(queue, requests):
    queue.forward(0)
    queue.forward(12)
    assert queue.order == (12, 3, 8)
    assert len(requests) == 1
    queue.forget()
    assert len(requests) == 1
    queue.forward(3)
    assert len(requests) == 2


@given(st.lists(st.integers(0, 50), min_size=2, max_size=20, unique=True), st.integers(0, 50))
def test_every_waiting_frame_comes_once_a_round(order, start):
    queue = ReviewQueue(lambda: order)
    frame = order[0] if start in order else start
    way = [frame]
    for _ in range(len(order) - (frame in order)):
        frame = queue.forward(frame)
        way.append(frame)
    assert sorted(set(way) | set(order)) == sorted(way)
    assert queue.forward(frame) == (way[1] if way[0] not in order else way[0])


@given(st.lists(st.sampled_from(["forward", "back"]), max_size=60))
def test_forward_never_stays_and_back_never_repeats(steps):
    queue = ReviewQueue(lambda: [5, 1, 9, 4])
    frame, backs = 0, []
    for step in steps:
        to = getattr(queue, step)(frame)
        assert to != frame
        if step == "forward":
            backs = []
            assert to in (5, 1, 9, 4)
        elif to is not None:
            assert to not in backs
            backs.append(to)
        frame = frame if to is None else to
