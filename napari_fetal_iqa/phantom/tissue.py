"""Tissue along the beams: how much each sample scatters, reflects and takes away."""

from dataclasses import dataclass
from math import cos, sin

import numpy as np

from napari_fetal_iqa.geometry.ellipse import from_axes, to_axes
from napari_fetal_iqa.phantom.fan import Fan, Grid


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in the plane of the beams: mm from the fan's middle and row 0, radians.

    ``angle_rad`` turns the first semi-axis from the right (0) downwards.
    """

    x: float
    z: float
    a: float
    b: float
    angle_rad: float = 0.0

    def at(self, u: float, v: float) -> tuple[float, float]:
        """Point of the plane at fractions ``u`` and ``v`` of the two semi-axes."""
        return from_axes((self.x, self.z), (self.a, self.b), self.angle_rad, u, v)

    def inner(self, u: float, v: float, a: float, b: float, angle_rad: float = 0.0) -> "Ellipse":
        """An ellipse inside this one; sizes are fractions of its smaller semi-axis."""
        size = min(self.a, self.b)
        return Ellipse(*self.at(u, v), a * size, b * size, self.angle_rad + angle_rad)

    def distance(self, x: Grid, z: Grid) -> tuple[Grid, Grid, Grid]:
        """Signed distance to the outline (mm, negative inside) and its outward unit normal."""
        c, s = np.float32(cos(self.angle_rad)), np.float32(sin(self.angle_rad))
        dx, dz = x - np.float32(self.x), z - np.float32(self.z)
        u, v = to_axes((self.a, self.b), self.angle_rad, dx, dz)
        rho = np.sqrt(u * u + v * v)
        u /= np.float32(self.a)
        v /= np.float32(self.b)
        slope = np.sqrt(u * u + v * v) + np.float32(1e-6)
        u /= slope
        v /= slope
        return rho * (rho - 1) / slope, c * u - s * v, s * u + c * v


class Tissue:
    """What one frame's beams meet; painted structure by structure, later ones on top.

    Attributes
    ----------
    level : (N_DEPTHS, N_BEAMS) float32
        Mean scattering of tissue, decibels.
    mirror : (N_DEPTHS, N_BEAMS) float32
        Amplitude of smooth interfaces that reflect as a whole.
    loss : (N_DEPTHS, N_BEAMS) float32
        Attenuation, decibels per cm of way.
    bend : (2, N_DEPTHS, N_BEAMS) float32
        Millimetres by which shapes are bent to the right and down: no organ is an ellipse.
    within : (N_DEPTHS, N_BEAMS) float32, or None
        Share of every sample that painting may change.
    """

    def __init__(self, fan: Fan, level_db: float, loss_db_cm: float) -> None:
        self.fan = fan
        shape = fan.x.shape
        self.level = np.full(shape, level_db, np.float32)
        self.loss = np.full(shape, loss_db_cm, np.float32)
        self.mirror = np.zeros(shape, np.float32)
        self.bend = np.zeros((2, *shape), np.float32)
        self.within: Grid | None = None

    def _near(self, ellipse: Ellipse, margin_mm: float, bend: float) -> tuple[slice, slice]:
        reach = max(ellipse.a, ellipse.b) + margin_mm + 12 * bend
        return self.fan.window(ellipse.x, ellipse.z, reach)

    def _distance(
        self, ellipse: Ellipse, at: tuple[slice, slice], bend: float
    ) -> tuple[Grid, Grid, Grid]:
        x, z = self.fan.x[at], self.fan.z[at]
        if bend:
            x = x + np.float32(bend) * self.bend[0][at]
            z = z + np.float32(bend) * self.bend[1][at]
        return ellipse.distance(x, z)

    def cover(
        self, ellipse: Ellipse, soft_mm: float = 0.8, bend: float = 0.0
    ) -> tuple[tuple[slice, slice], Grid]:
        """Find the samples near an ellipse and the share of each that it covers."""
        at = self._near(ellipse, 2 * soft_mm, bend)
        distance, _, _ = self._distance(ellipse, at, bend)
        return at, np.clip(0.5 - distance / np.float32(2 * soft_mm), 0, 1)

    def _blend(
        self, at: tuple[slice, slice], cover: Grid, level_db: Grid | np.floating, loss_db_cm: float
    ) -> None:
        if self.within is not None:
            cover = cover * self.within[at]
        self.level[at] += cover * (level_db - self.level[at])
        self.loss[at] += cover * (np.float32(loss_db_cm) - self.loss[at])
        self.mirror[at] *= 1 - cover

    def fill(
        self,
        ellipse: Ellipse,
        level_db: float,
        loss_db_cm: float,
        soft_mm: float = 0.8,
        *,
        share: float = 1.0,
        texture: Grid | None = None,
        bend: float = 0.0,
    ) -> None:
        """Fill an ellipse with a tissue; ``share`` below 1 mixes it with what lies there."""
        at, cover = self.cover(ellipse, soft_mm, bend)
        level: Grid | np.floating = np.float32(level_db)
        if texture is not None:
            level = level + texture[at]
        self._blend(at, cover * np.float32(share), level, loss_db_cm)

    def wall(
        self,
        ellipse: Ellipse,
        level_db: float,
        thickness_mm: float,
        *,
        focus: float = 2.5,
        floor: float = 0.15,
        loss_db_cm: float = 0.0,
        edge_loss_db_cm: float = 0.0,
        bend: float = 0.0,
        texture: Grid | None = None,
    ) -> None:
        """Draw an outline, brightest where the beam meets it at a right angle.

        ``focus`` is the power of the cosine of incidence, ``floor`` the share of amplitude left
        where beam and wall are parallel. ``loss_db_cm`` is taken everywhere along the wall,
        ``edge_loss_db_cm`` where the beam grazes it (refraction).
        """
        at = self._near(ellipse, 3 * thickness_mm, bend)
        distance, normal_x, normal_z = self._distance(ellipse, at, bend)
        angle = self.fan.angle_rad[:, at[1]]
        incidence = np.abs(normal_x * np.sin(angle) + normal_z * np.cos(angle))
        profile = np.exp(-((distance / np.float32(thickness_mm)) ** 2))
        if self.within is not None:
            profile *= self.within[at]
        strength = np.float32(floor) + np.float32(1 - floor) * incidence ** np.float32(focus)
        amplitude = np.float32(10 ** (level_db / 20)) * strength * profile
        if texture is not None:
            amplitude *= np.exp(np.float32(0.115) * texture[at])
        self.mirror[at] += np.float32(0.5) * amplitude
        power = np.exp(np.float32(0.23026) * self.level[at]) + amplitude * amplitude
        self.level[at] = np.log(power) * np.float32(4.3429)
        loss = np.float32(loss_db_cm) + np.float32(edge_loss_db_cm) * (1 - incidence) ** 4
        self.loss[at] += loss * profile

    def rod(
        self,
        ends: tuple[tuple[float, float], tuple[float, float]],
        radius_mm: float,
        level_db: float,
        loss_db_cm: float,
        bend: float = 0.0,
    ) -> None:
        """Fill a rod with round ends between two points (x, z) in mm."""
        (x0, z0), (x1, z1) = ends
        length = float(np.hypot(x1 - x0, z1 - z0)) + 1e-6
        middle = Ellipse((x0 + x1) / 2, (z0 + z1) / 2, length / 2, radius_mm)
        at = self._near(middle, 2 * radius_mm, bend)
        dx = self.fan.x[at] + np.float32(bend) * self.bend[0][at] - np.float32(x0)
        dz = self.fan.z[at] + np.float32(bend) * self.bend[1][at] - np.float32(z0)
        ux, uz = np.float32((x1 - x0) / length), np.float32((z1 - z0) / length)
        along = np.clip(dx * ux + dz * uz, 0, np.float32(length))
        distance = np.hypot(dx - along * ux, dz - along * uz) - np.float32(radius_mm)
        self._blend(at, np.clip(0.5 - distance, 0, 1), np.float32(level_db), loss_db_cm)
