"""The phantom sweeps that demo and File > Open Sample open."""

import logging
from dataclasses import replace

from napari_fetal_iqa.contributions.layers import LayerData, sweep_layer
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.version import TOOL_VERSION

logger = logging.getLogger(__name__)

DEMO_SEED = 7
DEMO_NAME = "phantom"
"""Whether it was simulated just now or lay in the cache, it is the same phantom."""


def demo_sweep() -> SweepVolume:
    """Return the demo phantom: six short sweeps of full resolution.

    Simulating it takes some seconds, the first time only: then it is in the cache.
    """
    settings = PhantomSettings.demo()
    # By version, as another one may simulate other pixels.
    path = paths.cache() / f"phantom_demo_{TOOL_VERSION}.mha"
    try:
        kept = read_sweep(path, frames_per_sweep=settings.frames_per_sweep)
        return replace(kept, name=DEMO_NAME)
    except SweepError:
        sweep = replace(make_phantom(settings, seed=DEMO_SEED).sweep, name=DEMO_NAME)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_volume(path, sweep.frames, sweep.spacing_mm)
    except (OSError, SweepError):
        logger.warning("the demo phantom could not be cached")
    return sweep


def demo_phantom() -> list[LayerData]:
    """Return the demo phantom as napari wants sample data."""
    return [sweep_layer(demo_sweep())]


def small_phantom() -> list[LayerData]:
    """Simulate a coarse phantom, as napari wants sample data; takes about a second."""
    return [sweep_layer(make_phantom(PhantomSettings.small()).sweep)]
