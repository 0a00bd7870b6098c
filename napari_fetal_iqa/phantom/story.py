"""What happens in a case: where the abdomen comes and goes, and what else the probe passes."""

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from napari_fetal_iqa.labels import Label
from napari_fetal_iqa.phantom.fetus import TrunkCut
from napari_fetal_iqa.phantom.motion import Drift
from napari_fetal_iqa.phantom.settings import LONGEST_RUN, PhantomSettings
from napari_fetal_iqa.phantom.tissue import Ellipse

GAP = 4
"""Fewest frames between two runs of abdomen."""
END = (0.74, 0.55, 0.33)
"""Size of the trunk's end in the frames next to a run."""
THORAX_FRAMES = 12
"""Frames next to a run that show the thorax, where it is passed."""


@dataclass(frozen=True)
class Run:
    """Frames ``start`` to ``stop`` (half-open, within the sweep) that show the abdomen."""

    start: int
    stop: int
    optimal: bool

    def place(self, frame: float) -> float:
        """Position in the run: 0 in its middle, -1 and 1 at its ends."""
        return (2 * frame + 1 - self.start - self.stop) / (self.stop - self.start)


def plan_runs(settings: PhantomSettings, rng: np.random.Generator) -> list[list[Run]]:
    """Lay runs of 1 to 32 frames into the sweeps until the share of abdomen is reached.

    Returns
    -------
    list, one per sweep, of lists of Run in their order
    """
    lasts = [settings.frames_per_sweep] * settings.n_sweeps
    lasts[-1] -= settings.black_frames
    wanted = settings.positive_fraction * settings.n_frames * rng.uniform(0.5, 1.5)
    typical = max(8.0, 0.8 * wanted / settings.n_sweeps)
    taken = [np.zeros(last, bool) for last in lasts]
    spans: list[tuple[int, int, int]] = []
    total, order = 0, rng.permutation(settings.n_sweeps)
    # Sweeps that are full take no more runs: what was wanted may not fit in.
    for attempt in range(20 * settings.n_sweeps):
        if total >= wanted:
            break
        sweep = int(order[attempt % settings.n_sweeps])
        drawn = round(float(rng.lognormal(np.log(typical), 0.7)))
        left = max(1, round(wanted - total))
        length = int(np.clip(drawn, 1, min(LONGEST_RUN, lasts[sweep], left)))
        start = int(rng.integers(0, lasts[sweep] - length + 1))
        stop = start + length
        if taken[sweep][max(0, start - GAP) : stop + GAP].any():
            continue
        taken[sweep][start:stop] = True
        spans.append((sweep, start, stop))
        total += length
    spans.sort(key=lambda span: span[1] - span[2])
    n_optimal = int(np.ceil(settings.optimal_fraction * len(spans) - rng.uniform(0, 0.999)))
    runs: list[list[Run]] = [[] for _ in lasts]
    for rank, (sweep, start, stop) in enumerate(spans):
        runs[sweep].append(Run(start, stop, rank < n_optimal))
    return [sorted(sweep, key=lambda run: run.start) for sweep in runs]


class Pose:
    """Where the trunk of one sweep lies and how it is turned, slowly drifting.

    Parameters
    ----------
    rng : Generator
    semi_axes_mm : (float, float)
        Of the fetus' abdomen at the standard plane.
    """

    def __init__(self, rng: np.random.Generator, semi_axes_mm: tuple[float, float]) -> None:
        self.semi_axes_mm = semi_axes_mm
        self._x = Drift(rng, rng.normal(0, 9), 5.0)
        self._z = Drift(rng, max(84.0, 40 + max(semi_axes_mm)) + rng.uniform(-3, 5), 2.0)
        self._turn = Drift(rng, rng.uniform(0, pi), 0.15)
        self.anterior_rad = rng.uniform(-pi, pi)
        self.left = int(rng.choice([-1, 1]))

    def outline(self, frame: int, scale: float) -> Ellipse:
        """Outline of the trunk, its size relative to the standard plane."""
        a, b = self.semi_axes_mm
        return Ellipse(
            self._x.at(frame), self._z.at(frame), a * scale, b * scale, self._turn.at(frame)
        )


class Abdomen:
    """One run of abdomen: what shows, frame by frame.

    Parameters
    ----------
    rng : Generator
    run : Run
    pose : Pose
    room : (int, int)
        Half-open frames that this run and the trunk next to it may fill.
    """

    def __init__(
        self, rng: np.random.Generator, run: Run, pose: Pose, room: tuple[int, int]
    ) -> None:
        self.run = run
        self._pose = pose
        self._core = rng.uniform(0.45, 0.75)
        self._fault = str(rng.choice(["no vein", "no stomach", "kidneys"]))
        self._thorax = [bool(end) for end in rng.permutation([True, rng.random() < 0.3])]
        before, after = (THORAX_FRAMES if thorax else len(END) for thorax in self._thorax)
        self.reach = max(run.start - before, room[0]), min(run.stop + after, room[1])

    def label(self, frame: int) -> int:
        """OPTIMAL, SUBOPTIMAL, or Label.NONE outside the run."""
        if not self.run.start <= frame < self.run.stop:
            return Label.NONE
        middle = 1 / (self.run.stop - self.run.start)  # of a run of two, its frames are at 1/2
        centred = abs(self.run.place(frame)) <= max(self._core, middle)
        return Label.OPTIMAL if self.run.optimal and centred else Label.SUBOPTIMAL

    def cut(self, frame: int) -> TrunkCut | None:
        """What the probe cuts at a frame; None where the trunk is out of sight."""
        place = self.run.place(frame)
        beyond = max(self.run.start - frame, frame - self.run.stop + 1, 0)
        label = self.label(frame)
        if label == Label.OPTIMAL:
            return self._trunk(frame, 1 - 0.03 * place**2, stomach=1.0, vein=1.0)
        if label == Label.SUBOPTIMAL:
            scale, weaker = 0.97 - 0.1 * place**2, 1 - 0.25 * abs(place)
            if self._fault == "no vein":
                return self._trunk(frame, scale, stomach=0.9 * weaker)
            if self._fault == "no stomach":
                return self._trunk(frame, scale, vein=0.6 * weaker)
            return self._trunk(frame, scale, stomach=0.65 * weaker, kidneys=1.0)
        first, stop = self.reach
        if not first <= frame < stop:
            return None
        if self._thorax[int(place > 0)]:
            rounded = sqrt(1 - ((beyond - 1) / THORAX_FRAMES) ** 4)
            return self._trunk(frame, 0.86 * rounded, heart=rounded)
        return self._trunk(frame, END[beyond - 1])

    def _trunk(self, frame: int, scale: float, **landmarks: float) -> TrunkCut:
        return TrunkCut(
            self._pose.outline(frame, scale), self._pose.anterior_rad, self._pose.left, **landmarks
        )
