import pytest

from fetal_iqa_models.batching import AIMS, WATCHED, BatchSize


def test_quick_batches_grow_up_to_the_devices_largest() -> None:
    batches = BatchSize(AIMS["cpu"])
    sizes = []
    for _ in range(4):
        sizes.append(batches.frames)
        batches.took(batches.frames, 0.01)
    assert sizes == [8, 16, 32, 32]


def test_slow_batches_shrink_to_the_aimed_time() -> None:
    batches = BatchSize(AIMS["cpu"])
    batches.took(8, 4 * AIMS["cpu"].seconds)
    assert batches.frames == 2
    batches.took(2, 100 * AIMS["cpu"].seconds)
    assert batches.frames == 1


def test_a_batch_never_grows_again_beyond_what_ran_out_of_memory() -> None:
    batches = BatchSize(AIMS["cuda"])
    batches.halve()
    assert batches.frames == 32
    for _ in range(5):
        batches.took(batches.frames, 0.01)
    assert batches.frames == 32


def test_the_last_and_smaller_batch_teaches_nothing() -> None:
    batches = BatchSize(AIMS["cpu"])
    batches.took(3, 0.001)
    assert batches.frames == 8


@pytest.mark.parametrize("seconds", [0.001, 100.0])
def test_the_callers_own_size_stays(seconds: float) -> None:
    batches = BatchSize(AIMS["cpu"], fixed=5)
    batches.took(5, seconds)
    assert batches.frames == 5
    batches.halve()
    batches.start_again(AIMS["cpu"])
    assert batches.frames == 2


def test_another_device_starts_from_its_own_size() -> None:
    batches = BatchSize(AIMS["cuda"])
    for _ in range(6):
        batches.halve()
    assert batches.frames == 1
    batches.start_again(AIMS["cpu"])
    assert batches.frames == 8
    batches.took(8, 0.01)
    assert batches.frames == 16


def test_what_is_watched_comes_more_often() -> None:
    batches = BatchSize(WATCHED)
    batches.took(4, 0.4)
    assert batches.frames == 4
    batches.took(4, 0.8)
    assert batches.frames == 2
