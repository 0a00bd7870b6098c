"""The mother around the fetus: abdominal wall, uterus, placenta, fluid, bladder, probe contact."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy

from napari_fetal_iqa.phantom.fan import N_BEAMS, N_DEPTHS, Fan, Grid
from napari_fetal_iqa.phantom.fetus import FLUID_DB
from napari_fetal_iqa.phantom.motion import Drift
from napari_fetal_iqa.phantom.tissue import Ellipse, Tissue


def _smoothing(n_samples: int, n_knots: int) -> "scipy.sparse.csr_array":
    """(n_samples, n_knots): weights that turn random knots into a smooth unit-variance line."""
    place = np.linspace(1, n_knots - 2, n_samples)[:, None]
    weights = np.exp(-(((place - np.arange(n_knots)) / 1.1) ** 2))
    weights[weights < 1e-3] = 0
    return scipy.sparse.csr_array(
        (weights / np.sqrt((weights**2).sum(1, keepdims=True))).astype(np.float32)
    )


@dataclass(eq=False)
class Texture:
    """Unevenness of tissue in decibels (standard deviation 1), moving with the frames.

    Parameters
    ----------
    rng : Generator
    n_frames : int
    knots : (int, int)
        Random values along and across the beams; between them it is smooth.
    frames_per_knot : float
        Frames between random values in time.
    """

    rng: np.random.Generator
    n_frames: int
    knots: tuple[int, int]
    frames_per_knot: float = 6.0

    def __post_init__(self) -> None:
        n_times = int(self.n_frames / self.frames_per_knot) + 4
        self._values = self.rng.standard_normal((n_times, *self.knots), np.float32)
        self._along = _smoothing(N_DEPTHS, self.knots[0])
        self._across = _smoothing(N_BEAMS, self.knots[1])
        self._in_time = _smoothing(self.n_frames, n_times)

    def at(self, frame: int) -> Grid:
        """(N_DEPTHS, N_BEAMS) float32."""
        # sparse products: a dense one would start threads of its own in every thread
        knots = self._in_time[[frame]] @ self._values.reshape(len(self._values), -1)
        across = self._across @ knots.reshape(self.knots).T
        return np.asarray(self._along @ np.ascontiguousarray(across.T), np.float32)


@dataclass(eq=False)
class Mother:
    """One sweep's maternal anatomy, drawn from a generator.

    Parameters
    ----------
    rng : Generator
    fan : Fan
    n_frames : int
        Frames of the sweep.
    """

    rng: np.random.Generator
    fan: Fan
    n_frames: int

    def __post_init__(self) -> None:
        rng, n = self.rng, self.n_frames
        self.fine = Texture(rng, n, (60, 40))
        self.vessels = Texture(rng, n, (110, 60), 4.0)
        self._bends = [Texture(rng, n, (10, 9), 14.0) for _ in range(2)]
        self.coarse = Texture(rng, n, (16, 12), 12.0)
        self.stripes = Texture(rng, n, (150, 14), 10.0)
        self.fat_mm = Drift(rng, rng.uniform(9, 20), 2.0)
        self.muscle_mm = Drift(rng, rng.uniform(6, 10), 1.0)
        self.tilt = Drift(rng, 0.0, 6.0)
        self.uterus = [
            Drift(rng, mean, spread)
            for mean, spread in (
                (rng.normal(0, 8), 8.0),
                (rng.uniform(78, 90), 4.0),
                (rng.uniform(62, 88), 5.0),
                (rng.uniform(46, 55), 3.0),
                (0.0, 0.12),
            )
        ]
        self.placenta_side = Drift(rng, rng.uniform(-np.pi, np.pi), 0.5)
        self.placenta_mm = Drift(rng, rng.uniform(6, 28), 5.0)
        self.fluid_db = Drift(rng, rng.uniform(-50, -37), 2.0)
        self.gaps = [
            (
                Drift(rng, rng.choice([-1, 1]) * rng.uniform(0.65, 1.1), 0.12),
                rng.uniform(0.08, 0.22),
                Drift(rng, rng.uniform(-8, 14), 9.0),
            )
            for _ in range(3)
        ]

    @cached_property
    def _below_face(self) -> Grid:
        return self.fan.radius_mm - self.fan.settings.probe_radius_mm

    def uterus_at(self, frame: int) -> Ellipse:
        """Outline of the uterus."""
        x, z, a, b, angle = (drift.at(frame) for drift in self.uterus)
        return Ellipse(x, z, a, b, angle)

    def cavity_at(self, frame: int) -> Ellipse:
        """Outline of the amniotic fluid: the uterus without its wall and the placenta."""
        uterus = self.uterus_at(frame)
        side, thick = self.placenta_side.at(frame), abs(self.placenta_mm.at(frame))
        return Ellipse(
            uterus.x + thick * np.cos(side),
            uterus.z + 0.7 * thick * np.sin(side),
            max(uterus.a - 7 - 0.9 * thick, 5.0),
            max(uterus.b - 7 - 0.65 * thick, 5.0),
            uterus.angle_rad,
        )

    def paint(self, frame: int) -> Tissue:
        """Paint the abdominal wall, the uterus, its placenta and fluid."""
        loss = self.fan.settings.attenuation_db_cm
        tissue = Tissue(self.fan, -27.0, loss)
        tissue.bend[:] = [3.0 * bend.at(frame) for bend in self._bends]
        coarse, stripes = self.coarse.at(frame), self.stripes.at(frame)
        self._paint_wall(tissue, frame, stripes, coarse)
        uterus = self.uterus_at(frame)
        texture = 1.5 * coarse + 1.2 * self.fine.at(frame)
        tissue.fill(uterus, -29.0, loss, 1.5, texture=texture + 1.5 * stripes, bend=1.0)
        inner = Ellipse(uterus.x, uterus.z, uterus.a - 7, uterus.b - 7, uterus.angle_rad)
        tissue.fill(inner, -22.0, loss, 0.8, texture=1.3 * texture, bend=1.1)
        tissue.wall(inner, 2.0, 0.8, focus=4.0, floor=0.03, bend=1.1, texture=2 * texture)
        cavity = self.cavity_at(frame)
        tissue.fill(cavity, self.fluid_db.at(frame), -0.25, 0.8, texture=3 * coarse, bend=1.4)
        tissue.wall(cavity, 3.0, 0.7, focus=5.0, floor=0.03, bend=1.4, texture=1.5 * texture)
        return tissue

    def flesh(self, frame: int) -> Grid:
        """(N_DEPTHS, N_BEAMS): unevenness of fetal tissue in decibels, with its small vessels."""
        spots = self.vessels.at(frame)
        dark = np.clip(spots - np.float32(1.2), 0, 1) * np.float32(14)
        bright = np.clip(-spots - np.float32(1.3), 0, 1) * np.float32(12)
        return 1.3 * (self.fine.at(frame) + self.coarse.at(frame)) - dark + bright

    def _paint_wall(self, tissue: Tissue, frame: int, stripes: Grid, coarse: Grid) -> None:
        fat, muscle = self.fat_mm.at(frame), self.muscle_mm.at(frame)
        tilt = np.float32(self.tilt.at(frame)) * self.fan.angle_rad
        depth = np.clip(self._below_face * 4, 0, 399)
        layered = np.clip((self._below_face + tilt + np.float32(0.5) * tissue.bend[1]) * 4, 0, 399)
        mm = np.arange(400, dtype=np.float32) / 4
        reverberation = 9 * np.exp(-mm / 2.5) * (1 + np.cos(2 * np.pi * mm / 1.9))
        wall = np.where(mm < fat, -23.0, np.where(mm < fat + muscle, -31.0, -27.0))
        for edge, level in ((fat, 21.0), (fat + muscle, 19.0), (fat * 0.55, 11.0)):
            wall += level * np.exp(-(((mm - edge) / 0.9) ** 2))
        wall = wall.astype(np.float32)
        tissue.level[:] = wall[layered.astype(np.int32)]
        tissue.level += reverberation.astype(np.float32)[depth.astype(np.int32)]
        rough = np.where(mm < fat + muscle, 4.5, 4.0).astype(np.float32)
        tissue.level += rough[layered.astype(np.int32)] * stripes + 3 * coarse

    def contact_db(self, frame: int) -> Grid:
        """(1, N_BEAMS): loss of each beam where the probe's face has no good contact."""
        place = np.linspace(-1, 1, N_BEAMS, dtype=np.float32)[None]
        loss = np.zeros((1, N_BEAMS), np.float32)
        for centre, width, depth in self.gaps:
            bump = np.exp(-(((place - np.float32(centre.at(frame))) / np.float32(width)) ** 2))
            loss += np.float32(max(depth.at(frame), 0.0)) * bump
        return loss

    def paint_bladder(self, tissue: Tissue, fullness: float) -> None:
        """Paint the maternal bladder below the wall, between 0 (empty) and 1 (full)."""
        bladder = Ellipse(self.uterus[0].mean, 38.0, 40 * fullness, 15 * fullness, 0.08)
        tissue.fill(bladder, FLUID_DB, -0.3, 0.7, bend=0.8)
        tissue.wall(bladder, -9.0, 1.2, bend=0.8)
