"""What a phantom is made like: its size, its probe, its picture, and how much abdomen it holds."""

from dataclasses import dataclass, replace
from math import cos, radians
from typing import Self

LONGEST_RUN = 32
"""Frames of the longest run of abdomen in ACOUSLIC-AI (DESIGN section 5)."""


@dataclass(frozen=True)
class PhantomSettings:
    """Size and acoustics of a phantom; lengths in mm, levels in decibels.

    The defaults are the ACOUSLIC-AI layout: 840 frames of 562 x 744 pixels of 0.28 mm, seen by
    a convex probe whose fan opens from columns 262..482 at the top to the full width at row 465.

    Parameters
    ----------
    n_sweeps, frames_per_sweep : int
    shape : (int, int)
        Rows and columns of a frame.
    spacing_mm : (float, float)
        Millimetres per pixel along rows and columns.
    probe_radius_mm, fan_half_angle_deg, depth_mm : float
        Radius of the convex probe's face, half of the fan's opening, imaged depth below the face.
    gain_db, dynamic_range_db : float
        Level added before log compression, and the levels that become 0..255.
    speckle_size : float
        Scale of the point spread function, 1 for the default probe.
    shadow : float
        Scale of shadows behind bone and under bad contact of the probe; 0 for none.
    attenuation_db_cm : float
        Loss in tissue that the scanner's time gain compensation leaves uncorrected.
    noise_db : float
        Level of electronic noise just below the probe; it grows with depth as its gain does.
    positive_fraction : float
        Share of frames that show the abdomen, on average over cases (ACOUSLIC-AI: 0.026).
    optimal_fraction : float
        Share of the runs of abdomen that reach the optimal plane; the default leaves four cases in
        ten without any, as in ACOUSLIC-AI.
    black_frames : int
        Black frames at the end of the last sweep.
    """

    n_sweeps: int = 6
    frames_per_sweep: int = 140
    shape: tuple[int, int] = (562, 744)
    spacing_mm: tuple[float, float] = (0.28, 0.28)
    probe_radius_mm: float = 62.8
    fan_half_angle_deg: float = 29.4
    depth_mm: float = 149.3
    gain_db: float = 0.0
    dynamic_range_db: float = 60.0
    speckle_size: float = 1.0
    shadow: float = 1.0
    attenuation_db_cm: float = 0.5
    noise_db: float = -57.0
    positive_fraction: float = 0.026
    optimal_fraction: float = 0.16
    black_frames: int = 0

    def __post_init__(self) -> None:
        counts = (self.n_sweeps, self.frames_per_sweep, *self.shape)
        sizes = (*self.spacing_mm, self.probe_radius_mm, self.depth_mm, self.speckle_size)
        if min(counts) < 1 or min(sizes) <= 0 or self.dynamic_range_db <= 0:
            raise ValueError(f"sizes and counts of a phantom must be positive: {self}")
        if not 5 <= self.fan_half_angle_deg <= 60:
            raise ValueError(f"fan half angle {self.fan_half_angle_deg}: expected 5 to 60 degrees")
        if not 0 <= self.positive_fraction <= 1 or not 0 <= self.optimal_fraction <= 1:
            raise ValueError("positive_fraction and optimal_fraction must be between 0 and 1")
        if not 0 <= self.black_frames < self.frames_per_sweep:
            raise ValueError(f"black_frames {self.black_frames}: must fit into the last sweep")

    @property
    def n_frames(self) -> int:
        """Frames of the whole case."""
        return self.n_sweeps * self.frames_per_sweep

    @property
    def apex_row_mm(self) -> float:
        """Row (mm, negative) of the fan's apex: the edges of the probe's face touch row 0."""
        return -self.probe_radius_mm * cos(radians(self.fan_half_angle_deg))

    @classmethod
    def acouslic(cls) -> Self:
        """Full size, with as little abdomen as real blind sweeps show."""
        return cls()

    @classmethod
    def demo(cls) -> Self:
        """Full in-plane size, six short sweeps: what the demo opens."""
        return cls(frames_per_sweep=40, positive_fraction=0.2, optimal_fraction=0.7)

    @classmethod
    def small(cls) -> Self:
        """A quarter of the rows and columns over the same field of view, 60 frames: for tests."""
        return cls(
            frames_per_sweep=10,
            shape=(141, 186),
            spacing_mm=(1.12, 1.12),
            positive_fraction=0.3,
            optimal_fraction=0.7,
        )

    def shifted(self) -> Self:
        """Return the same phantom seen by another scanner: a network trained on this one fails."""
        return replace(
            self,
            probe_radius_mm=40.0,
            fan_half_angle_deg=33.0,
            depth_mm=self.depth_mm * 0.9,
            gain_db=self.gain_db + 9.0,
            dynamic_range_db=self.dynamic_range_db * 0.75,
            speckle_size=self.speckle_size * 1.9,
            shadow=self.shadow * 1.8,
            noise_db=self.noise_db + 10.0,
        )
