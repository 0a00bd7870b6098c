"""One simulated examination, of which any frame can be rendered by itself."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.geometry.ellipse import ramanujan_perimeter
from napari_fetal_iqa.phantom.echo import compress, envelope, scatterers
from napari_fetal_iqa.phantom.fan import Fan
from napari_fetal_iqa.phantom.fetus import LEAST_DRAWN
from napari_fetal_iqa.phantom.scene import Scene
from napari_fetal_iqa.phantom.settings import PhantomSettings
from napari_fetal_iqa.phantom.story import plan_runs
from napari_fetal_iqa.phantom.tissue import Ellipse
from napari_fetal_iqa.sweep import Frames, SweepVolume

CIRCUMFERENCES_MM = (140.9, 229.5, 350.6)
"""Smallest, median and largest abdominal circumference of ACOUSLIC-AI (DESIGN section 5)."""


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """A frame and the truth about it.

    Parameters
    ----------
    pixels : (H, W) uint8
    outline : Ellipse or None
        Of the abdomen, in mm; None where there is none.
    label : int
        1 optimal plane, 2 suboptimal plane; 0 without an abdomen.
    """

    pixels: NDArray[np.uint8]
    outline: Ellipse | None = None
    label: int = 0


class Simulation:
    """The blind sweeps of one fetus, before they are rendered.

    Parameters
    ----------
    settings : PhantomSettings, optional
        By default the ACOUSLIC-AI layout.
    seed : int
        0 or more.
    """

    def __init__(self, settings: PhantomSettings | None = None, seed: int = 0) -> None:
        self.settings = settings = settings or PhantomSettings()
        self.seed = seed
        self.fan = fan = Fan(settings)
        # Three streams (case, anatomy of each sweep, its speckle): a change to what one of them
        # draws leaves the others as they were.
        rng = np.random.default_rng((seed, 0))
        semi_axes = _draw_semi_axes(rng)
        runs = plan_runs(settings, rng)
        self._scenes = [
            Scene(
                np.random.default_rng((seed, 1, sweep)),
                fan,
                runs[sweep],
                semi_axes,
                sagittal=sweep >= settings.n_sweeps / 2,
            )
            for sweep in range(settings.n_sweeps)
        ]
        # fill its caches before threads share it
        fan.scan_convert(np.zeros(fan.x.shape, np.float32))

    def render(self, index: int) -> RenderedFrame:
        """Render a frame; the same pixels in whatever order, thread or process it is done."""
        settings = self.settings
        if index >= settings.n_frames - settings.black_frames:
            return RenderedFrame(np.zeros(settings.shape, np.uint8))
        sweep, frame = divmod(index, settings.frames_per_sweep)
        scene = self._scenes[sweep]
        tissue, outline, label = scene.paint(frame)
        random = scatterers((self.seed, 2, sweep), frame)
        contact = scene.mother.contact_db(frame)
        received = envelope(settings, self.fan, tissue, random, contact)
        return RenderedFrame(
            self.fan.scan_convert(compress(settings, received)), outline, int(label)
        )

    def criteria(self, index: int) -> dict[Criterion, bool]:
        """Return which of the criteria an abdomen meets by what is drawn in it; none without one.

        What is drawn and known: the stomach, the umbilical vein, the kidneys.
        """
        sweep, frame = divmod(index, self.settings.frames_per_sweep)
        cut = self._scenes[sweep].cut(frame)
        if cut is None:
            return {}
        return {
            Criterion.STOMACH: cut.stomach > LEAST_DRAWN,
            Criterion.PORTAL_SINUS: cut.vein > LEAST_DRAWN,
            Criterion.NO_KIDNEYS: cut.kidneys <= LEAST_DRAWN,
        }

    def sweep(self, frames: Frames) -> SweepVolume:
        """Return the volume of rendered frames."""
        return volume_of(frames, self.settings, f"phantom_{self.seed:04d}", simulated=True)


def volume_of(
    frames: Frames, settings: PhantomSettings, title: str, *, simulated: bool
) -> SweepVolume:
    """Return the volume of rendered frames, in which one blind sweep follows the other.

    Parameters
    ----------
    frames : (T, H, W) uint8 array-like
    settings : PhantomSettings
        That they were rendered with.
    title : str
    simulated : bool
        Whether the frames look like a drawing, so that ``automatic`` has the demo models answer.
        What has real texture counts as real.
    """
    per_sweep = settings.frames_per_sweep
    bounds = tuple((start, start + per_sweep) for start in range(0, settings.n_frames, per_sweep))
    return SweepVolume(
        frames,
        settings.spacing_mm,
        bounds,
        title,
        source_format="phantom",
        simulated=simulated,
    )


def draw_circumference(rng: np.random.Generator) -> float:
    """Draw an abdominal circumference in mm, spread as those of ACOUSLIC-AI."""
    least, median, most = CIRCUMFERENCES_MM
    return float(np.clip(rng.normal(median, 42), least, most))


def _draw_semi_axes(rng: np.random.Generator) -> tuple[float, float]:
    circumference = draw_circumference(rng)
    ratio = rng.uniform(0.84, 0.98)
    a = circumference / ramanujan_perimeter(1, ratio)
    return a, a * ratio
