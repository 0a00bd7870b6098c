"""From tissue to picture: speckle, attenuation, noise and log compression."""

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_fetal_iqa.phantom.fan import N_BEAMS, N_DEPTHS, Fan, Grid
from napari_fetal_iqa.phantom.settings import PhantomSettings
from napari_fetal_iqa.phantom.tissue import Tissue

AXIAL_SIGMA_MM = 0.33
"""Standard deviation of the point spread along the beam: a 3.5 MHz pulse of two cycles."""
LATERAL_SIGMA_BEAMS = 1.25
"""Across the beams: constant in angle, so that speckle widens with depth in mm."""
COHERENCE = (0.5, 0.7, 0.5)
"""Shares of the scatterers that a frame has in common with its neighbours: correlation 0.7."""
CLUTTER = 0.05
"""Amplitude of side lobes, as a share of what they pick up."""


def scatterers(seed: tuple[int, ...], frame: int) -> Grid:
    """Draw the random scatterers of a frame; those of neighbouring frames resemble each other.

    Parameters
    ----------
    seed : tuple of int
        The sweep's own.
    frame : int

    Returns
    -------
    (2, N_DEPTHS, N_BEAMS) float32
        Real and imaginary parts, each normal of variance 1/2.
    """
    total = np.zeros((2, N_DEPTHS, N_BEAMS), np.float32)
    norm = np.sqrt(2 * np.sum(np.square(COHERENCE)))
    for offset, share in enumerate(COHERENCE):
        rng = np.random.default_rng((*seed, frame + offset))
        drawn = rng.standard_normal(total.shape, np.float32)
        drawn *= np.float32(share / norm)
        total += drawn
    return total


def point_spread(settings: PhantomSettings, fan: Fan) -> tuple[float, float]:
    """Return the standard deviations of the point spread, in samples along and across beams."""
    axial = AXIAL_SIGMA_MM * settings.speckle_size / fan.step_mm
    return axial, LATERAL_SIGMA_BEAMS * settings.speckle_size


def envelope(
    settings: PhantomSettings, fan: Fan, tissue: Tissue, random: Grid, contact_db: Grid
) -> Grid:
    """Amplitude that the probe receives from each sample.

    The field is the scatterers, weighted by tissue and by the way there and back, blurred by the
    point spread: fully developed speckle, whose envelope is Rayleigh distributed (Wagner et al.,
    IEEE Trans. Sonics Ultrasonics 30 (1983) 156; mean over standard deviation 1.91).

    Parameters
    ----------
    settings : PhantomSettings
    fan : Fan
    tissue : Tissue
    random : (2, N_DEPTHS, N_BEAMS) float32
        From :func:`scatterers`.
    contact_db : (1, N_BEAMS) float32
        Loss of each beam under the probe's face.

    Returns
    -------
    (N_DEPTHS, N_BEAMS) float32
        1 where tissue of 0 dB is met without loss.
    """
    sigma = point_spread(settings, fan)
    way_cm = np.float32(2 * fan.step_mm / 10)
    lost_db = np.cumsum(tissue.loss, axis=0) * way_cm + contact_db * np.float32(settings.shadow)
    passed = np.exp(lost_db * np.float32(-np.log(10) / 20))
    amplitude = np.exp(tissue.level * np.float32(np.log(10) / 20)) * passed
    # a blur keeps the variance of white noise times the sum of its squared weights
    restore = np.float32(np.sqrt(4 * np.pi * sigma[0] * sigma[1]))
    received = [
        scipy.ndimage.gaussian_filter(part * amplitude, sigma, truncate=3) for part in random
    ]
    real = received[0] * restore
    # side lobes: a faint, wide echo of the brighter neighbours, seen where tissue itself is dark
    clutter = scipy.ndimage.uniform_filter(amplitude, (9, 25)) * np.float32(CLUTTER)
    real += clutter * random[0]
    real += scipy.ndimage.gaussian_filter(tissue.mirror * passed, sigma, truncate=3)
    # electronic noise is as fine as the samples and grows with the time gain; like the side lobes
    # it is kept to one of the two parts, which speckle in tissue does not notice
    growth = np.linspace(0, 14, N_DEPTHS, dtype=np.float32)[:, None]
    noise = np.exp((growth + np.float32(settings.noise_db)) * np.float32(np.log(10) / 20))
    real += noise * random[1]
    imaginary = received[1] * restore
    return np.hypot(real, imaginary)


def compress(settings: PhantomSettings, amplitude: Grid) -> NDArray[np.float32]:
    """Log-compress an envelope to grey values 0..255; 0 dB lies a sixth below white.

    A little smoothing follows, as every scanner's speckle reduction does.
    """
    level = np.float32(20) * np.log10(amplitude + np.float32(1e-6))
    span = np.float32(settings.dynamic_range_db)
    grey = np.clip((level + np.float32(settings.gain_db)) / span + np.float32(0.84), 0, 1) * 255
    return scipy.ndimage.gaussian_filter(grey, (0.7, 0.5), truncate=2.5)
