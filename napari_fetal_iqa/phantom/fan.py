"""The convex probe's fan: beams in mm, and their way to the rows and columns of a frame."""

from dataclasses import dataclass
from functools import cached_property
from math import radians
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_fetal_iqa.phantom.settings import PhantomSettings

N_DEPTHS = 480
N_BEAMS = 192

Grid = NDArray[np.floating[Any]]
"""Values at the samples, float32."""


@dataclass(frozen=True, eq=False)
class Fan:
    """Samples along the beams of a convex probe, (N_DEPTHS, N_BEAMS), and their scan conversion.

    Coordinates are mm: ``x`` from the fan's middle to the right, ``z`` from row 0 down.

    Parameters
    ----------
    settings : PhantomSettings
    """

    settings: PhantomSettings

    @cached_property
    def radius_mm(self) -> Grid:
        """(N_DEPTHS, 1): distance of the samples from the apex."""
        face, depth = self.settings.probe_radius_mm, self.settings.depth_mm
        return np.linspace(face, face + depth, N_DEPTHS, dtype=np.float32)[:, None]

    @cached_property
    def angle_rad(self) -> Grid:
        """(1, N_BEAMS): direction of the beams from the middle, positive to the right."""
        half = radians(self.settings.fan_half_angle_deg)
        return np.linspace(-half, half, N_BEAMS, dtype=np.float32)[None]

    @property
    def step_mm(self) -> float:
        """Distance of samples along a beam."""
        return self.settings.depth_mm / (N_DEPTHS - 1)

    @cached_property
    def x(self) -> Grid:
        """(N_DEPTHS, N_BEAMS): mm to the right of the middle."""
        return self.radius_mm * np.sin(self.angle_rad)

    @cached_property
    def z(self) -> Grid:
        """(N_DEPTHS, N_BEAMS): mm below row 0."""
        return self.radius_mm * np.cos(self.angle_rad) + np.float32(self.settings.apex_row_mm)

    def window(self, x: float, z: float, reach_mm: float) -> tuple[slice, slice]:
        """Find the samples that may lie within ``reach_mm`` of a point; empty slices for none."""
        below_apex = z - self.settings.apex_row_mm
        distance = float(np.hypot(x, below_apex))
        start = (distance - reach_mm - self.settings.probe_radius_mm) / self.step_mm
        stop = (distance + reach_mm - self.settings.probe_radius_mm) / self.step_mm + 1
        depths = slice(*(int(np.clip(edge, 0, N_DEPTHS)) for edge in (start, stop)))
        if distance <= reach_mm:
            return depths, slice(0, N_BEAMS)
        spread = np.arcsin(reach_mm / distance)
        angle = np.arctan2(x, below_apex)
        beams = np.searchsorted(self.angle_rad[0], [angle - spread, angle + spread])
        return depths, slice(int(beams[0]), int(beams[1]))

    @cached_property
    def _pixel_polar(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        rows, columns = self.settings.shape
        row_mm, column_mm = self.settings.spacing_mm
        z = (np.arange(rows)[:, None] + 0.5) * row_mm - self.settings.apex_row_mm
        x = (np.arange(columns)[None] + 0.5 - columns / 2) * column_mm
        depth = (np.hypot(x, z) - self.settings.probe_radius_mm) / self.step_mm
        half = radians(self.settings.fan_half_angle_deg)
        beam = (np.arctan2(x, z) / half + 1) / 2 * (N_BEAMS - 1)
        return depth, beam

    @cached_property
    def field_of_view(self) -> NDArray[np.bool_]:
        """(H, W) bool: pixels that the beams reach."""
        depth, beam = self._pixel_polar
        return (depth >= 0) & (depth <= N_DEPTHS - 1) & (beam >= 0) & (beam <= N_BEAMS - 1)

    @cached_property
    def _interpolation(self) -> "scipy.sparse.csr_array":
        depth, beam = (coordinate[self.field_of_view] for coordinate in self._pixel_polar)
        upper = np.minimum(depth.astype(np.int32), N_DEPTHS - 2)
        left = np.minimum(beam.astype(np.int32), N_BEAMS - 2)
        down, right = depth - upper, beam - left
        weights = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
        first = upper * N_BEAMS + left
        columns = [first, first + 1, first + N_BEAMS, first + N_BEAMS + 1]
        starts = np.arange(0, 4 * len(first) + 1, 4, dtype=np.int32)
        data = np.stack(weights, -1).astype(np.float32).ravel()
        return scipy.sparse.csr_array(
            (data, np.stack(columns, -1).ravel(), starts), (len(first), N_DEPTHS * N_BEAMS)
        )

    def scan_convert(self, image: Grid) -> NDArray[np.uint8]:
        """Turn (N_DEPTHS, N_BEAMS) grey values into an (H, W) uint8 frame, 0 outside the fan."""
        row_mm, column_mm = self.settings.spacing_mm
        beam_mm = float(self.radius_mm.mean() * (self.angle_rad[0, 1] - self.angle_rad[0, 0]))
        # coarse pixels average the samples that they cover, as a downscaled frame would
        width = [0.35 * row_mm / self.step_mm, 0.35 * column_mm / beam_mm]
        if width[0] > 0.5:
            image = scipy.ndimage.gaussian_filter(image, width, truncate=2.5)
        # the darkest echo is 1: outside the fan alone is 0
        grey = np.clip(self._interpolation @ image.ravel() + 0.5, 1, 255)
        frame = np.zeros(self.settings.shape, np.uint8)
        frame[self.field_of_view] = grey.astype(np.uint8)
        return frame
