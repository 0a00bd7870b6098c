"""A phantom case: frames, masks, labels and true circumference, repeatable from a seed."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.geometry.ellipse import ramanujan_perimeter
from napari_fetal_iqa.phantom.echo import compress, envelope, scatterers
from napari_fetal_iqa.phantom.fan import Fan
from napari_fetal_iqa.phantom.scene import Scene, ellipse_mask
from napari_fetal_iqa.phantom.settings import PhantomSettings
from napari_fetal_iqa.phantom.story import plan_runs
from napari_fetal_iqa.sweep import SweepVolume

CIRCUMFERENCES_MM = (140.9, 229.5, 350.6)
"""Smallest, median and largest abdominal circumference of ACOUSLIC-AI (DESIGN section 5)."""


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
    settings = settings or PhantomSettings()
    fan = Fan(settings)
    # Three streams (case, anatomy of each sweep, its speckle): a change to what one of them draws
    # leaves the others as they were.
    rng = np.random.default_rng((seed, 0))
    semi_axes = _draw_semi_axes(rng)
    runs = plan_runs(settings, rng)
    per_sweep, total = settings.frames_per_sweep, settings.n_frames
    scenes = [
        Scene(
            np.random.default_rng((seed, 1, sweep)),
            fan,
            runs[sweep],
            semi_axes,
            sagittal=sweep >= settings.n_sweeps / 2,
        )
        for sweep in range(settings.n_sweeps)
    ]
    frames = np.zeros((total, *settings.shape), np.uint8)
    masks = np.zeros_like(frames)
    labels = np.zeros(total, np.uint8)
    ac_mm = np.full(total, np.nan)
    fan.scan_convert(np.zeros(fan.x.shape, np.float32))  # fill its caches before threads share it

    def render(index: int) -> None:
        sweep, frame = divmod(index, per_sweep)
        if index >= total - settings.black_frames:
            return
        scene = scenes[sweep]
        tissue, outline, label = scene.paint(frame)
        random = scatterers((seed, 2, sweep), frame)
        received = envelope(settings, fan, tissue, random, scene.mother.contact_db(frame))
        frames[index] = fan.scan_convert(compress(settings, received))
        if outline is not None:
            masks[index][ellipse_mask(outline, fan)] = label
            labels[index] = label
            ac_mm[index] = ramanujan_perimeter(outline.a, outline.b)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done, _ in enumerate(pool.map(render, range(total)), 1):
            if progress is not None:
                progress(done, total)
    bounds = tuple((start, start + per_sweep) for start in range(0, total, per_sweep))
    sweep = SweepVolume(
        frames, settings.spacing_mm, bounds, f"phantom_{seed:04d}", source_format="phantom"
    )
    return PhantomCase(sweep, masks, labels, ac_mm)


def _draw_semi_axes(rng: np.random.Generator) -> tuple[float, float]:
    least, median, most = CIRCUMFERENCES_MM
    circumference = float(np.clip(rng.normal(median, 42), least, most))
    ratio = rng.uniform(0.84, 0.98)
    a = circumference / ramanujan_perimeter(1, ratio)
    return a, a * ratio
