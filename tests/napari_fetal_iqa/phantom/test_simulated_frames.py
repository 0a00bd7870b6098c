"""A phantom that is simulated as it is looked at is the phantom, bit by bit."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.phantom.simulated_frames import SimulatedFrames
from napari_fetal_iqa.phantom.simulation import Simulation

SETTINGS = replace(PhantomSettings.small(), frames_per_sweep=2, black_frames=1)


@pytest.fixture(scope="module")
def whole():
    return make_phantom(SETTINGS, seed=5).sweep


@pytest.fixture
def simulation():
    return Simulation(SETTINGS, seed=5)


@pytest.fixture
def counted(simulation, monkeypatch):
    """Frames, and the list of those that were rendered."""
    rendered = []
    render = simulation.render

    def counting(index):
        rendered.append(index)
        return render(index)

    monkeypatch.setattr(simulation, "render", counting)
    return SimulatedFrames(simulation), rendered


def test_every_frame_is_that_of_the_simulation_in_any_order(simulation, whole):
    frames = SimulatedFrames(simulation)
    for index in (7, 0, -1, 3):
        assert np.array_equal(frames[index], whole.frames[index])
    assert np.array_equal(frames[2:5], whole.frames[2:5])
    assert np.array_equal(frames[6, 10:20, 30], whole.frames[6, 10:20, 30])
    assert np.array_equal(np.asarray(frames), whole.frames)
    lazy, sweep = simulation.sweep(frames), whole
    assert lazy.identity == sweep.identity
    assert (lazy.bounds, lazy.spacing_mm, lazy.name) == (
        sweep.bounds,
        sweep.spacing_mm,
        sweep.name,
    )


def test_only_what_is_looked_at_is_rendered_and_nothing_twice(counted):
    frames, rendered = counted
    for _ in range(2):
        _ = frames[3], frames[5:7]
    assert rendered == [3, 5, 6]
    assert frames.done == 3
    with pytest.raises(IndexError):
        _ = frames[99]


def test_in_the_background_each_frame_is_rendered_once_and_the_end_is_told(simulation, whole):
    told = threading.Event()
    kept = []

    def finished(pixels):
        kept.append(pixels)
        told.set()

    frames = SimulatedFrames(simulation, finished)
    threads = frames.simulate_in_background()
    assert np.array_equal(frames[11], whole.frames[11])  # while they run
    for thread in threads:
        thread.join()
    assert frames.done == len(frames) == 12
    assert told.wait(60)
    assert len(kept) == 1
    assert np.array_equal(kept[0], whole.frames)


def test_nobody_writes_into_the_frames(simulation):
    frames = SimulatedFrames(simulation)
    with pytest.raises(ValueError, match="read-only"):
        frames[0][0, 0] = 1


def test_a_cancelled_simulation_ends_and_says_so(counted):
    frames, rendered = counted
    shown = frames[2]
    frames.cancel()
    for thread in frames.simulate_in_background():
        thread.join()
    assert rendered == [2]
    assert np.array_equal(frames[2], shown)
    with pytest.raises(SweepError, match=r"^phantom: [^\n]* open it again$"):
        _ = frames[3]


def test_who_waits_for_a_frame_is_let_go_when_it_is_cancelled(simulation, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    render = simulation.render

    def slow(index):
        begun.set()
        assert go_on.wait(60)
        return render(index)

    monkeypatch.setattr(simulation, "render", slow)
    frames = SimulatedFrames(simulation)
    first = threading.Thread(target=lambda: frames[0])
    first.start()
    assert begun.wait(60)
    errors = []

    def wait():
        try:
            _ = frames[0]
        except SweepError as error:
            errors.append(error)

    second = threading.Thread(target=wait)
    second.start()
    frames.cancel()
    second.join(60)
    assert len(errors) == 1
    go_on.set()
    first.join(60)


def test_a_window_waits_for_no_frame_and_gets_the_one_it_looks_at_first(counted):
    frames, rendered = counted
    frames.show_at_once()
    whole = (slice(None), slice(None))
    assert not frames[(7, *whole)].any()
    assert frames.missing == 7
    assert not frames[(slice(7, 8), *whole)].any()
    assert not rendered  # nobody waited for it
    assert frames[3].any()  # asked for in another way: waited for
    assert frames._following() == 7
    frames._take(7)
    frames._render(7)
    assert frames.has(7)
    assert frames.missing == 7  # it is black on the screen yet
    assert np.array_equal(frames[(7, *whole)], frames[7])
    assert frames.missing is None
    assert np.asarray(frames).any(axis=(1, 2))[:7].all()
    elsewhere = []
    thread = threading.Thread(target=lambda: elsewhere.append(frames[(9, *whole)]))
    thread.start()
    thread.join()
    assert elsewhere[0].any()


def test_all_frames_are_rendered_in_whatever_order_they_were_wanted(counted):
    frames, rendered = counted
    frames.show_at_once()
    for number in (9, 4, 9):
        _ = frames[number, :, :]
    for thread in frames.simulate_in_background():
        thread.join()
    assert sorted(rendered) == list(range(len(frames)))
