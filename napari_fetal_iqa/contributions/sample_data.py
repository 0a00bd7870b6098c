"""The phantom sweeps that demo and File > Open Sample open."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.contributions.layers import LayerData, sweep_layer
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.phantom.simulated_frames import SimulatedFrames
from napari_fetal_iqa.phantom.simulation import Simulation
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.sweep import Frames, SweepVolume
from napari_fetal_iqa.version import TOOL_VERSION

logger = logging.getLogger(__name__)

DEMO_SEED = 7
DEMO_NAME = "phantom"
"""Whether it was simulated just now or lay in the cache, it is the same phantom."""


def demo_sweep(progress: Callable[[int, int], None] | None = None) -> SweepVolume:
    """Return the demo phantom whole: six short sweeps of full resolution.

    Simulating it takes some seconds, the first time only: then it is in the cache.

    Parameters
    ----------
    progress : callable, optional
        Called with (frames done, frames in all) while it is simulated.
    """
    kept = _cached()
    if kept is not None:
        return kept
    made = make_phantom(PhantomSettings.demo(), seed=DEMO_SEED, progress=progress).sweep
    sweep = replace(made, name=DEMO_NAME)
    _keep(sweep.frames, sweep.spacing_mm)
    return sweep


def demo_sweep_at_once() -> SweepVolume:
    """Return the same phantom for somebody who waits: with its first frame, the others follow.

    Once all are simulated they are in the cache.
    """
    kept = _cached()
    if kept is not None:
        return kept
    settings = PhantomSettings.demo()
    sweep = simulated(settings, DEMO_SEED, lambda frames: _keep(frames, settings.spacing_mm))
    return replace(sweep, name=DEMO_NAME)


def simulated(
    settings: PhantomSettings,
    seed: int,
    finished: Callable[[NDArray[np.uint8]], None] | None = None,
) -> SweepVolume:
    """Return a phantom whose frames are simulated as they are looked at.

    Parameters
    ----------
    settings : PhantomSettings
    seed : int
    finished : callable, optional
        Gets all frames, in a thread of its own, once they are simulated.
    """
    simulation = Simulation(settings, seed)
    frames = SimulatedFrames(simulation, finished)
    for first in (0, (len(frames) - 1) // 2):  # what napari makes the layer with, and shows
        _ = frames[first]
    return simulation.sweep(frames)


def _cached() -> SweepVolume | None:
    try:
        per_sweep = PhantomSettings.demo().frames_per_sweep
        kept = read_sweep(_cache(), frames_per_sweep=per_sweep)
        return replace(kept, name=DEMO_NAME, simulated=True)
    except SweepError:
        return None


def _cache() -> Path:
    # by version, as another one may simulate other pixels
    return paths.cache() / f"phantom_demo_{TOOL_VERSION}.mha"


def _keep(frames: Frames, spacing_mm: tuple[float, float] | None) -> None:
    try:
        _cache().parent.mkdir(parents=True, exist_ok=True)
        write_volume(_cache(), frames, spacing_mm, simulated=True)
    except (OSError, SweepError):
        logger.warning("the demo phantom could not be cached")


def demo_phantom() -> list[LayerData]:
    """Return the demo phantom as napari wants sample data."""
    return [sweep_layer(demo_sweep_at_once())]


def small_phantom() -> list[LayerData]:
    """Simulate a coarse phantom, as napari wants sample data; takes about a second."""
    return [sweep_layer(simulated(PhantomSettings.small(), seed=0))]
