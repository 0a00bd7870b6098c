"""A phantom case: frames, masks, labels and true circumference, repeatable from a seed."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.geometry.ellipse import ramanujan_perimeter
from napari_fetal_iqa.phantom.fan import Fan
from napari_fetal_iqa.phantom.scene import ellipse_mask
from napari_fetal_iqa.phantom.settings import PhantomSettings
from napari_fetal_iqa.phantom.simulation import RenderedFrame, Simulation
from napari_fetal_iqa.sweep import Frames, SweepVolume


@dataclass(frozen=True, eq=False)
class PhantomCase:
    """A simulated examination and the truth about it.

    Parameters
    ----------
    sweep : SweepVolume
    masks : (T, H, W) uint8
        0 background, 1 optimal plane, 2 suboptimal plane: filled ellipses within the field of
        view, one label per frame.
    labels : (T,) uint8
        The same per frame.
    ac_mm : (T,) float64
        Circumference of the whole ellipse; nan where there is no abdomen.
    """

    sweep: SweepVolume
    masks: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    ac_mm: NDArray[np.float64]


def make_phantom(
    settings: PhantomSettings | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> PhantomCase:
    """Simulate the blind sweeps of one fetus.

    Parameters
    ----------
    settings : PhantomSettings, optional
        By default the ACOUSLIC-AI layout.
    seed : int
        0 or more; the same settings and seed give the same case, whatever the number of cores.
    progress : callable, optional
        Called with (frames done, frames in all) in the calling thread.

    Returns
    -------
    PhantomCase
    """
    return render_case(Simulation(settings, seed), progress)


class Renderable(Protocol):
    """An examination of which any frame can be rendered by itself, in any thread."""

    settings: PhantomSettings
    fan: Fan

    def render(self, index: int) -> RenderedFrame:
        """Render a frame."""

    def sweep(self, frames: Frames) -> SweepVolume:
        """Return the volume of rendered frames."""


def render_case(
    simulation: Renderable, progress: Callable[[int, int], None] | None = None
) -> PhantomCase:
    """Render all frames of an examination, and note the truth about them.

    Parameters
    ----------
    simulation : Renderable
    progress : callable, optional
        As for :func:`make_phantom`.
    """
    total = simulation.settings.n_frames
    frames = np.zeros((total, *simulation.settings.shape), np.uint8)
    masks = np.zeros_like(frames)
    labels = np.zeros(total, np.uint8)
    ac_mm = np.full(total, np.nan)

    def render(index: int) -> None:
        rendered = simulation.render(index)
        frames[index] = rendered.pixels
        if rendered.outline is not None:
            masks[index][ellipse_mask(rendered.outline, simulation.fan)] = rendered.label
            labels[index] = rendered.label
            ac_mm[index] = ramanujan_perimeter(rendered.outline.a, rendered.outline.b)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done, _ in enumerate(pool.map(render, range(total)), 1):
            if progress is not None:
                progress(done, total)
    return PhantomCase(simulation.sweep(frames), masks, labels, ac_mm)
