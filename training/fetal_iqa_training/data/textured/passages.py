"""A probe that passes planes: where each lies, how it is turned, how it comes and goes."""

from dataclasses import dataclass
from math import cos, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_training.data.textured.canvas import Canvas
from napari_fetal_iqa.labels import Label
from napari_fetal_iqa.phantom.fan import Fan
from napari_fetal_iqa.phantom.mother import Texture
from napari_fetal_iqa.phantom.motion import Drift
from napari_fetal_iqa.phantom.story import Run
from napari_fetal_iqa.phantom.tissue import Ellipse, Tissue

Image = NDArray[np.floating[Any]]

LEAVING = (0.5, 0.3)
"""How much of the abdomen's plane is left in the frames next to a run."""
COHERENT = 0.6
"""Share of a plane's echo that keeps the scanner's own speckle; the rest gets the sweep's."""
_LOSS_DB_CM = 0.25  # a scanner's image is compensated for depth, a cheap probe's less well
_BEND_MM = 2.2
_STILL = 0.35  # of the semi-axes round the outline, where nothing bends


@dataclass(frozen=True)
class Pose:
    """Where a canvas' anchor lies in the fan (mm), and how it is turned (radians), drifting.

    ``mirror`` is -1 for a probe that is held the other way round.
    """

    x: Drift
    z: Drift
    turn: Drift
    mirror: float = 1.0

    def matrix(self, frame: int, scale: tuple[float, float]) -> NDArray[np.float64]:
        """(2, 2): from the canvas' millimetres (x, z) to those of the fan."""
        c, s = cos(self.turn.at(frame)), sin(self.turn.at(frame))
        return np.array([[c, -s], [s, c]]) @ np.diag((self.mirror * scale[0], scale[1]))


def mapped(
    ellipse: tuple[float, float, float], matrix: NDArray[np.float64], centre: tuple[float, float]
) -> Ellipse:
    """Ellipse (semi-axes, angle) round the canvas' anchor as the fan shows it.

    A linear map of an ellipse is an ellipse, whose axes are the singular vectors of the map.
    """
    a, b, angle = ellipse
    c, s = cos(angle), sin(angle)
    ends = matrix @ np.array([[c, -s], [s, c]]) @ np.diag([a, b])
    directions, lengths, _ = np.linalg.svd(ends)
    turn = float(np.arctan2(directions[1, 0], directions[0, 0]))
    return Ellipse(*centre, float(lengths[0]), float(lengths[1]), turn)


class Passage:
    """One plane that the probe passes.

    Parameters
    ----------
    rng : Generator
    fan : Fan
    canvas : Canvas
    pose : Pose
    span : (int, int)
        Half-open frames of the sweep that show it whole.
    frames : int
        Of the sweep.
    fade : float
        Frames over which it comes and goes, outside the span.
    most : float
        Share of it that covers what lies behind, 0 to 1.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        fan: Fan,
        canvas: Canvas,
        pose: Pose,
        span: tuple[int, int],
        frames: int,
        fade: float = 4.0,
        most: float = 1.0,
    ) -> None:
        self.canvas, self.pose, self.span, self.fade = canvas, pose, span, fade
        self._most = np.float32(most)
        self._fan = fan
        self._bends = [Texture(rng, frames, (9, 8), 9.0) for _ in range(2)]
        self._patches = Texture(rng, frames, (9, 7), 25.0)
        self._shrink = rng.uniform(0.1, 0.25)
        self._speed = rng.uniform(0.1, 0.2)  # radians per frame by which the fine detail changes

    def place(self, frame: float) -> float:
        """0 in the span's middle, -1 and 1 at its ends."""
        start, stop = self.span
        return (2 * frame + 1 - start - stop) / (stop - start)

    def strength(self, frame: int) -> float:
        """0 where it is out of sight to 1."""
        beyond = max(self.span[0] - frame, frame - self.span[1] + 1, 0)
        return float(np.clip(1 - beyond / self.fade, 0, 1))

    def scale(self, frame: int) -> tuple[float, float]:
        """Size along the canvas' axes: a part is largest in its middle."""
        size = 1 - self._shrink * min(self.place(frame) ** 2, 2.0)
        return size, size

    def beside(self, frame: int) -> float:
        """How far the landmarks are lost, 0 to 1."""
        return float(np.clip(0.5 * self.place(frame) ** 2, 0, 0.6))

    def stillness(self, x: Image, z: Image) -> Image | float:
        """Share of the bending at points of the canvas."""
        return 1.0

    def paint(self, tissue: Tissue, frame: int, depth_mm: Image, wall_mm: float) -> None:
        """Blend the plane into a frame's tissue, below the mother's wall."""
        strength = self.strength(frame)
        if strength <= 0:
            return
        x, z = self._coordinates(frame)
        canvas, patches = self.canvas, self._patches.at(frame)
        share = self._most * canvas.at(x, z, canvas.share)
        # the plane comes and goes in patches, as tissue leaves a beam here before there
        share *= np.clip(strength * 2.6 - 0.8 + np.float32(0.35) * patches, 0, 1)
        share *= np.clip((depth_mm - np.float32(wall_mm - 4)) / np.float32(8), 0, 1)
        lost = np.clip(self.beside(frame) * 1.6 - 0.3 + np.float32(0.2) * patches, 0, 1)
        base, plain = canvas.at(x, z, canvas.base), canvas.at(x, z, canvas.plain)
        angle = self._speed * (frame - sum(self.span) / 2)
        detail = canvas.at(x, z, canvas.detail) * np.float32(cos(angle))
        detail += canvas.at(-x, z + np.float32(3), canvas.detail) * np.float32(sin(angle))
        level = base + lost * (plain - base) + np.float32(0.8) * detail
        tissue.level += share * (level - tissue.level)
        tissue.loss += share * (np.float32(_LOSS_DB_CM) - tissue.loss)
        tissue.mirror *= 1 - share
        coherent = np.float32(COHERENT) * share
        amplitude = np.exp(tissue.level * np.float32(np.log(10) / 20))
        tissue.mirror += np.sqrt(coherent) * amplitude
        tissue.level += np.float32(10) * np.log10(1 - coherent)

    def _coordinates(self, frame: int) -> tuple[Image, Image]:
        """Where each sample of the fan lies on the canvas, in millimetres."""
        inverse = np.linalg.inv(self.pose.matrix(frame, self.scale(frame))).astype(np.float32)
        dx = self._fan.x - np.float32(self.pose.x.at(frame))
        dz = self._fan.z - np.float32(self.pose.z.at(frame))
        x = inverse[0, 0] * dx + inverse[0, 1] * dz
        z = inverse[1, 0] * dx + inverse[1, 1] * dz
        bending = np.float32(_BEND_MM) * self.stillness(x, z)
        bends = [bend.at(frame) for bend in self._bends]
        return x + bending * bends[0], z + bending * bends[1]


class AbdomenPassage(Passage):
    """A run of abdomen: a passage with an outline.

    Parameters
    ----------
    rng, fan, canvas, pose, frames
        As for :class:`Passage`.
    run : Run
    semi_axes_mm : (float, float)
        Of the abdomen in its own plane.
    angle_rad : float
        Of its first axis on the canvas.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        fan: Fan,
        canvas: Canvas,
        pose: Pose,
        run: Run,
        frames: int,
        semi_axes_mm: tuple[float, float],
        angle_rad: float,
    ) -> None:
        super().__init__(rng, fan, canvas, pose, (run.start, run.stop), frames)
        self.run = run
        self._ellipse = (*semi_axes_mm, angle_rad)
        self._core = rng.uniform(0.45, 0.75)
        self._tilt = rng.uniform(-0.05, 0.05, 2)
        self._lost = rng.uniform(0.45, 0.8)

    def label(self, frame: int) -> int:
        """OPTIMAL, SUBOPTIMAL, or Label.NONE outside the run: as of a drawn phantom."""
        if not self.run.start <= frame < self.run.stop:
            return Label.NONE
        middle = 1 / (self.run.stop - self.run.start)
        centred = abs(self.run.place(frame)) <= max(self._core, middle)
        return Label.OPTIMAL if self.run.optimal and centred else Label.SUBOPTIMAL

    def strength(self, frame: int) -> float:
        """As of a passage; the abdomen leaves sooner."""
        beyond = max(self.run.start - frame, frame - self.run.stop + 1, 0)
        if beyond:
            return LEAVING[beyond - 1] if beyond <= len(LEAVING) else 0.0
        return 1 - 0.2 * self.run.place(frame) ** 4

    def scale(self, frame: int) -> tuple[float, float]:
        """As of a passage; the trunk shrinks as a drawn phantom's does, and is tilted."""
        place = float(np.clip(self.run.place(frame), -1, 1))
        beyond = max(self.run.start - frame, frame - self.run.stop + 1, 0)
        if self.run.optimal:
            size = 1 - 0.03 * place**2 - 0.07 * self._off(frame) - 0.12 * beyond
        else:
            size = 0.97 - 0.1 * place**2 - 0.12 * beyond
        # a probe that tilts cuts a trunk longer one way
        return size * (1 + self._tilt[0] * place), size * (1 + self._tilt[1] * place)

    def beside(self, frame: int) -> float:
        """As of a passage; a suboptimal plane lacks landmarks."""
        place = abs(self.run.place(frame))
        if self.run.optimal:
            off = self._off(frame)
            return float(np.clip(0.15 * place**2 + (off > 0) * 0.3 + off, 0, 1))
        return float(np.clip(self._lost + 0.35 * place, 0, 1))

    def _off(self, frame: int) -> float:
        """Way from the optimal plane's edge (0) to the run's end (1)."""
        if self.label(frame) == Label.OPTIMAL:
            return 0.0
        way = (abs(self.run.place(frame)) - self._core) / (1 - self._core)
        return float(np.clip(way, 0.05, 1))

    def stillness(self, x: Image, z: Image) -> Image | float:
        """0 on the outline, which is the truth, to 1."""
        a, b, angle = self._ellipse
        c, s = np.float32(cos(angle)), np.float32(sin(angle))
        rho = np.hypot((c * x + s * z) / np.float32(a), (c * z - s * x) / np.float32(b))
        return np.clip(np.abs(rho - 1) / np.float32(_STILL), 0, 1)

    def outline(self, frame: int) -> Ellipse:
        """The abdomen's outline in the fan."""
        matrix = self.pose.matrix(frame, self.scale(frame))
        return mapped(self._ellipse, matrix, (self.pose.x.at(frame), self.pose.z.at(frame)))
