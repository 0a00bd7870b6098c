"""One sweep's scene: mother, fetus and distractors, painted frame by frame."""

from dataclasses import dataclass
from itertools import pairwise
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.geometry.ellipse import to_axes
from napari_fetal_iqa.labels import Label
from napari_fetal_iqa.phantom.fan import Fan
from napari_fetal_iqa.phantom.fetus import (
    TrunkCut,
    paint_head,
    paint_limb,
    paint_long_trunk,
    paint_trunk,
)
from napari_fetal_iqa.phantom.mother import Mother
from napari_fetal_iqa.phantom.motion import Drift
from napari_fetal_iqa.phantom.story import Abdomen, Pose, Run
from napari_fetal_iqa.phantom.tissue import Ellipse, Tissue


@dataclass(frozen=True)
class Passing:
    """A head or a long trunk that the probe passes: largest at ``centre``, gone beyond ``half``."""

    kind: str
    centre: float
    half: float
    x: Drift
    z: Drift
    turn: Drift
    a: float
    b: float

    def outline(self, frame: int) -> Ellipse | None:
        """Cross-section of the ellipsoid at a frame; None where it is passed."""
        cut = 1 - ((frame - self.centre) / self.half) ** 2
        if cut < 0.05:
            return None
        scale = sqrt(cut)
        return Ellipse(
            self.x.at(frame), self.z.at(frame), self.a * scale, self.b * scale, self.turn.at(frame)
        )


@dataclass(frozen=True)
class Limb:
    """An arm or a leg that drifts through the fluid."""

    x: Drift
    z: Drift
    turn: Drift
    length: Drift

    def paint(self, tissue: Tissue, frame: int, shadow: float) -> None:
        """Paint it."""
        joint = self.x.at(frame), self.z.at(frame)
        paint_limb(tissue, joint, self.turn.at(frame), max(self.length.at(frame), 1.0), shadow)


class Scene:
    """What one sweep passes.

    Parameters
    ----------
    rng : Generator
    fan : Fan
    runs : list of Run
        The sweep's runs of abdomen.
    semi_axes_mm : (float, float)
        Of the fetus' abdomen at the standard plane.
    sagittal : bool
        The probe moves across the mother: the trunk may be cut along the spine.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        fan: Fan,
        runs: list[Run],
        semi_axes_mm: tuple[float, float],
        sagittal: bool,
    ) -> None:
        self.fan = fan
        n_frames = fan.settings.frames_per_sweep
        self.mother = Mother(rng, fan, n_frames)
        pose = Pose(rng, semi_axes_mm)
        middles = [(one.stop + two.start) // 2 for one, two in pairwise(runs)]
        rooms = list(pairwise([0, *middles, n_frames]))
        self.abdomens = [
            Abdomen(rng, run, pose, room) for run, room in zip(runs, rooms, strict=False)
        ]
        self.passings = self._pass_between(rng, n_frames, self.abdomens, semi_axes_mm, sagittal)
        self.limbs = [
            Limb(
                Drift(rng, rng.normal(0, 35), 12.0),
                Drift(rng, rng.uniform(60, 115), 8.0),
                Drift(rng, rng.uniform(-pi, pi), 0.7),
                Drift(rng, rng.uniform(0, 35), 12.0),
            )
            for _ in range(int(rng.integers(2, 5)))
        ]
        self.bladder = Drift(rng, rng.uniform(-1.2, 0.4), 0.5)

    @staticmethod
    def _pass_between(
        rng: np.random.Generator,
        n_frames: int,
        abdomens: list[Abdomen],
        semi_axes_mm: tuple[float, float],
        sagittal: bool,
    ) -> list[Passing]:
        edges = [0, *(edge for abdomen in abdomens for edge in abdomen.reach), n_frames]
        passings = []
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            while stop - start >= 8:
                length = min(stop - start, int(rng.integers(8, 50)))
                kind = str(rng.choice(["head", "long trunk" if sagittal else "head", "none"]))
                size = max(semi_axes_mm) * rng.uniform(0.95, 1.1)
                shape = (size, 0.8 * size) if kind == "head" else (1.6 * size, 0.85 * size)
                passings.append(
                    Passing(
                        kind,
                        start + length / 2 - 0.5,
                        length / 2,
                        Drift(rng, rng.normal(0, 12), 5.0),
                        Drift(rng, max(84.0, 42 + size), 2.0),
                        Drift(rng, rng.normal(0, 0.35), 0.12),
                        *shape,
                    )
                )
                start += length
        return [passing for passing in passings if passing.kind != "none"]

    def cut(self, frame: int) -> TrunkCut | None:
        """What the probe cuts of the abdomen that is labelled at a frame; None without one."""
        for abdomen in self.abdomens:
            if abdomen.label(frame) != Label.NONE:
                return abdomen.cut(frame)
        return None

    def paint(self, frame: int) -> tuple[Tissue, Ellipse | None, int]:
        """Paint a frame; return its tissue, the abdomen's outline (or None) and its label."""
        mother, shadow = self.mother, self.fan.settings.shadow
        tissue = mother.paint(frame)
        texture = mother.flesh(frame)
        at, cover = tissue.cover(mother.cavity_at(frame), bend=1.4)
        tissue.within = np.zeros_like(tissue.level)
        tissue.within[at] = cover
        for limb in self.limbs:
            limb.paint(tissue, frame, shadow)
        tissue.within = None
        for passing in self.passings:
            outline = passing.outline(frame)
            if outline is not None:
                paint = paint_head if passing.kind == "head" else paint_long_trunk
                paint(tissue, outline, texture, shadow)
        found: tuple[Ellipse | None, int] = None, Label.NONE
        for abdomen in self.abdomens:
            cut = abdomen.cut(frame)
            if cut is None:
                continue
            paint_trunk(tissue, cut, texture, shadow)
            if abdomen.label(frame) != Label.NONE:
                found = cut.outline, abdomen.label(frame)
        fullness = self.bladder.at(frame)
        if fullness > 0.15:
            mother.paint_bladder(tissue, min(fullness, 1.0))
        return tissue, *found


def ellipse_mask(outline: Ellipse, fan: Fan) -> NDArray[np.bool_]:
    """(H, W) bool: pixels whose centre lies inside the outline and the field of view."""
    rows, columns = fan.settings.shape
    row_mm, column_mm = fan.settings.spacing_mm
    z = (np.arange(rows)[:, None] + 0.5) * row_mm - outline.z
    x = (np.arange(columns)[None] + 0.5 - columns / 2) * column_mm - outline.x
    u, v = to_axes((outline.a, outline.b), outline.angle_rad, x, z)
    return np.asarray((u**2 + v**2 <= 1) & fan.field_of_view)
