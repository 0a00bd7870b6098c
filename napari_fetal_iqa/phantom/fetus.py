"""The parts of a fetus as a probe cuts them: abdomen, thorax, head, long trunk, limbs."""

from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin, sqrt

import numpy as np

from napari_fetal_iqa.phantom.fan import Grid
from napari_fetal_iqa.phantom.tissue import Ellipse, Tissue

FLUID_DB = -60.0
BONE_LOSS_DB_CM = 16.0
LEAST_DRAWN = 0.05
"""Of a landmark: what is fainter is not there."""


@dataclass(frozen=True)
class TrunkCut:
    """A cross-section of the trunk; landmarks run from 0 (not there) to 1 (standard plane).

    Parameters
    ----------
    outline : Ellipse
    anterior_rad : float
        Direction of the belly, from the outline's first axis.
    left : int
        +1 or -1, the side of the stomach.
    stomach, vein, kidneys, heart : float
        Size of the landmark; a heart makes the cut a thorax.
    """

    outline: Ellipse
    anterior_rad: float
    left: int
    stomach: float = 0.0
    vein: float = 0.0
    kidneys: float = 0.0
    heart: float = 0.0

    def point(self, forward: float, side: float) -> tuple[float, float]:
        """Place (x, z) in mm at fractions of the way to the belly and to the stomach's side."""
        c, s = cos(self.anterior_rad), sin(self.anterior_rad)
        side *= self.left
        return self.outline.at(forward * c - side * s, forward * s + side * c)

    def organ(self, forward: float, side: float, a: float, b: float, turn: float = 0.0) -> Ellipse:
        """An ellipse in the trunk, its semi-axes as fractions of the trunk's smaller one."""
        size = min(self.outline.a, self.outline.b)
        angle = self.outline.angle_rad + self.anterior_rad + self.left * turn
        return Ellipse(*self.point(forward, side), a * size, b * size, angle)

    def ring(self, share: float) -> Ellipse:
        """The outline, shrunk."""
        o = self.outline
        return Ellipse(o.x, o.z, o.a * share, o.b * share, o.angle_rad)


def paint_trunk(tissue: Tissue, cut: TrunkCut, texture: Grid, shadow: float) -> None:
    """Paint an abdomen, or a thorax where there is a heart."""
    bone = BONE_LOSS_DB_CM * shadow
    tissue.fill(cut.outline, -23.0, 0.7, 0.5, texture=texture, bend=0.18)
    tissue.fill(cut.ring(0.945), -31.0, 0.6, 0.7, bend=0.2)
    tissue.fill(cut.ring(0.90), -22.5, 0.6, 0.9, texture=texture, bend=0.25)
    if cut.heart > LEAST_DRAWN:
        _paint_heart(tissue, cut, texture)
    else:
        _paint_belly(tissue, cut, texture)
    for forward, side, radius in ((-0.68, 0.0, 0.1), (-0.82, 0.16, 0.06), (-0.82, -0.16, 0.06)):
        vertebra = cut.organ(forward, side, radius, radius)
        tissue.fill(vertebra, -2.0, bone, 0.7)
        tissue.wall(vertebra, 6.0, 0.7)
    rib_loss = bone * (0.25 + 0.6 * cut.heart)
    for place in (0.95, 1.35, 1.8, 2.2):
        for way in (-1, 1):
            arc = [
                cut.point(-0.91 * cos(place + step), -0.91 * way * sin(place + step))
                for step in (0.0, 0.13)
            ]
            tissue.rod((arc[0], arc[1]), 0.8, -9.0 + 4 * cut.heart, rib_loss, 0.2)
    tissue.wall(cut.ring(0.90), -13.0, 0.7, focus=3.0, floor=0.05, bend=0.25, texture=texture)
    tissue.wall(
        cut.outline,
        7.0,
        0.75,
        focus=3.0,
        floor=0.06,
        edge_loss_db_cm=5 * shadow,
        bend=0.18,
        texture=1.8 * texture,
    )


def _paint_belly(tissue: Tissue, cut: TrunkCut, texture: Grid) -> None:
    # spleen and bowel behind the stomach, the right lobe of the liver, each its own grey
    tissue.fill(cut.organ(-0.25, 0.58, 0.45, 0.22), -28.0, 0.55, 3.0, texture=texture, bend=0.9)
    tissue.fill(cut.organ(0.25, 0.4, 0.3, 0.3), -18.5, 0.6, 4.0, texture=1.6 * texture, bend=1.2)
    tissue.fill(cut.organ(0.2, -0.4, 0.5, 0.38), -21.0, 0.6, 3.0, texture=texture, bend=1.2)
    tissue.fill(cut.organ(-0.35, -0.3, 0.4, 0.2), -26.0, 0.6, 4.0, texture=texture, bend=1.2)
    for side in (-1.0, 1.0):
        if cut.kidneys > LEAST_DRAWN:
            size = cut.kidneys
            kidney = cut.organ(-0.42, 0.36 * side, 0.25 * size, 0.19 * size)
            tissue.fill(kidney, -31.0, 0.5, 1.2, bend=0.3)
            tissue.wall(kidney, -14.0, 0.7, bend=0.3)
            tissue.fill(cut.organ(-0.42, 0.36 * side, 0.1, 0.05), -16.0, 0.5, 1.0)
    for side, radius in ((0.12, 0.075), (-0.12, 0.06)):
        vessel = cut.organ(-0.48, side, radius, radius)
        tissue.fill(vessel, FLUID_DB + 12, 0.0, 0.6)
        tissue.wall(vessel, -15.0, 0.5, focus=3.0, floor=0.1)
    if cut.vein > LEAST_DRAWN:
        way = [(0.64, 0.0), (0.36, 0.02), (0.18, -0.05), (0.06, -0.18), (0.03, -0.32)]
        points = [cut.point(*place) for place in way[: 1 + max(1, round(4 * cut.vein))]]
        radius = 0.06 * min(cut.outline.a, cut.outline.b)
        for extra, level in ((0.9, -15.0), (0.0, FLUID_DB + 14)):
            for number, ends in enumerate(pairwise(points)):
                tissue.rod(ends, radius * (1 - 0.1 * number) + extra, level, 0.1, 0.5)
    if cut.stomach > LEAST_DRAWN:
        stomach = cut.organ(-0.06, 0.44, 0.28 * cut.stomach, 0.19 * cut.stomach, 0.5)
        tissue.fill(stomach, FLUID_DB + 12, -0.2, 1.0, texture=texture, bend=0.9)
        tissue.wall(stomach, -9.0, 0.7, focus=4.0, floor=0.05, bend=0.9, texture=texture)


def _paint_heart(tissue: Tissue, cut: TrunkCut, texture: Grid) -> None:
    size = cut.heart
    for side in (-0.5, 0.5):
        tissue.fill(cut.organ(-0.1, side, 0.6, 0.32), -19.5, 0.7, 3.0, texture=texture, bend=0.5)
    heart = cut.organ(0.2, 0.18, 0.5 * size, 0.4 * size, -0.6)
    tissue.fill(heart, -18.0, 0.6, 0.8, bend=0.2)
    tissue.wall(heart, -9.0, 0.8, bend=0.2)
    for u, v, a, b in ((0.35, 0.42, 0.4, 0.3), (0.35, -0.42, 0.4, 0.3)):
        tissue.fill(heart.inner(u, v, a, b), FLUID_DB + 6, 0.0, 0.6, bend=0.2)
        tissue.fill(heart.inner(u - 0.85, 0.9 * v, 0.32, b), FLUID_DB + 6, 0.0, 0.6, bend=0.2)


def paint_head(tissue: Tissue, skull: Ellipse, texture: Grid, shadow: float) -> None:
    """Paint a head: a bright, shadowing ring, a broken midline, no abdominal landmark."""
    size = min(skull.a, skull.b)
    tissue.fill(skull, -33.0, 0.45, 0.6, texture=1.5 * texture, bend=0.2)
    for side in (-1, 1):
        tissue.fill(skull.inner(0.1, 0.6 * side, 0.7, 0.25), -29.0, 0.45, 4.0, bend=0.5)
        tissue.fill(skull.inner(-0.1, 0.22 * side, 0.2, 0.12), -40.0, 0.4, 1.5, bend=0.3)
        tissue.fill(skull.inner(-0.2, 0.45 * side, 0.3, 0.1, 0.2 * side), -18.0, 0.5, 2.0, bend=0.5)
    tissue.fill(skull.inner(-0.85, 0.0, 0.16, 0.3), -23.0, 0.5, 1.5, bend=0.3)
    for u, end in ((-0.75, -0.35), (-0.2, 0.3), (0.5, 0.85)):
        line = (skull.at(u, 0.01), skull.at(end, -0.01))
        tissue.rod(line, 0.012 * size + 0.2, -9.0, 0.5, 0.15)
    cavum = skull.inner(0.4, 0.0, 0.14, 0.08)
    tissue.fill(cavum, FLUID_DB + 6, 0.0, 0.6)
    tissue.wall(cavum, -12.0, 0.6)
    tissue.wall(
        skull,
        17.0,
        1.1,
        focus=2.2,
        floor=0.12,
        loss_db_cm=0.8 * BONE_LOSS_DB_CM * shadow,
        bend=0.2,
        texture=1.3 * texture,
    )


def paint_long_trunk(tissue: Tissue, body: Ellipse, texture: Grid, shadow: float) -> None:
    """Paint the trunk cut along the spine: a row of vertebrae with a comb of shadows."""
    bone = BONE_LOSS_DB_CM * shadow
    tissue.fill(body, -24.0, 0.6, 1.2, texture=texture, bend=0.4)
    tissue.fill(body.inner(-0.4, 0.1, 0.5, 0.45), -27.0, 0.5, 3.0, texture=texture, bend=0.8)
    tissue.fill(body.inner(-0.42, 0.15, 0.2, 0.14, 0.5), FLUID_DB + 8, 0.0, 1.0, bend=0.5)
    tissue.fill(body.inner(0.2, 0.2, 0.7, 0.5, 0.1), -20.5, 0.6, 2.0, texture=texture, bend=0.8)
    for u in np.linspace(-0.82, 0.82, 16):
        arch = 0.6 * sqrt(1 - u * u) + 0.1
        for depth, radius in ((arch, 0.055), (arch - 0.18, 0.04)):
            vertebra = body.inner(float(u), -depth, radius, radius)
            tissue.fill(vertebra, -3.0, 0.8 * bone, 1.0, bend=0.6)
    for u in np.linspace(-0.8, 0.05, 7):
        rib = body.inner(float(u), 0.8 * sqrt(1 - u * u), 0.06, 0.04)
        tissue.fill(rib, -3.0, bone, 0.6, bend=0.4)
    tissue.wall(body, 5.0, 0.9, floor=0.08, edge_loss_db_cm=3 * shadow, bend=0.4, texture=texture)


def paint_limb(
    tissue: Tissue, joint: tuple[float, float], angle_rad: float, length_mm: float, shadow: float
) -> None:
    """Paint a limb: soft tissue round a bright bone; a short one is cut across."""
    thickness = 6.5
    far = joint[0] + length_mm * cos(angle_rad), joint[1] + length_mm * sin(angle_rad)
    middle = (joint[0] + far[0]) / 2, (joint[1] + far[1]) / 2
    flesh = Ellipse(*middle, length_mm / 2 + thickness, thickness, angle_rad % pi)
    tissue.fill(flesh, -25.0, 0.6, 0.9, bend=0.4)
    tissue.wall(flesh, -9.0, 0.8, floor=0.08, bend=0.4)
    tissue.rod((joint, far), 1.3, -1.0, 1.2 * BONE_LOSS_DB_CM * shadow, 0.4)
