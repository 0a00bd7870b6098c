"""Augmented copies of a frame and its mask: light, local contrast, place, size.

Every choice is drawn from the generator that the caller seeds, so that a copy depends on its
seed alone, whichever worker makes it and whatever was drawn before.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.exposure import equalize_adapthist
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms


@dataclass(frozen=True)
class Augmentation:
    """How far an augmented copy may be from its frame; by default as far as the paper's.

    Parameters
    ----------
    brightness, contrast : float
        Colour jitter: factors are drawn from ``1 - x .. 1 + x``. Saturation and hue mean
        nothing on a grey frame.
    jitter_probability : float
        Share of copies whose brightness and contrast are changed; one half in the paper.
    clahe_probability : float
        Share of copies whose contrast is equalised locally (CLAHE).
    clahe_clip_limit : float
        Of scikit-image's ``equalize_adapthist``, 0 to 1.
    shift : float
        Largest shift, as a share of the square's side.
    rotation_deg : float
        Largest rotation to either side.
    magnification : float
        Factors are drawn from ``1 / x .. x``, as often above 1 as below; 1 in the paper.

    References
    ----------
    The recipe of FetalCLIP_CLS and FetalCLIP_SEG, arXiv 2507.22802: colour jitter, CLAHE,
    affine with shifts up to 20 % and rotations up to 20 degrees.
    """

    brightness: float = 0.2
    contrast: float = 0.2
    clahe_probability: float = 0.5
    clahe_clip_limit: float = 0.01
    shift: float = 0.2
    rotation_deg: float = 20.0
    magnification: float = 1.0
    jitter_probability: float = 1.0

    def __call__(
        self, frame: NDArray[np.uint8], mask: NDArray[np.bool_], seed: int
    ) -> tuple[Tensor, Tensor]:
        """Make one copy.

        Parameters
        ----------
        frame : (S, S) uint8 array
        mask : (S, S) bool array
        seed : int
            The same seed makes the same copy.

        Returns
        -------
        frame : (S, S) uint8 tensor
        mask : (S, S) bool tensor
            Moved with the frame; what moves in from outside is black and background.
        """
        image, outline = self.moved(frame, mask.astype(np.uint8), seed)
        return image, outline.bool()

    def moved(
        self, frame: NDArray[np.uint8], values: NDArray[np.uint8], seed: int
    ) -> tuple[Tensor, Tensor]:
        """Make one copy of a frame with a value a pixel, such as a probability in bytes.

        Parameters
        ----------
        frame, values : (S, S) uint8 arrays
        seed : int
            The same seed makes the same copy.

        Returns
        -------
        frame, values : (S, S) uint8 tensors
            Values of 0 move in from outside.
        """
        random = np.random.default_rng(seed)
        # all are drawn, used or not: switching one off leaves the others as they were
        brightness = random.uniform(1 - self.brightness, 1 + self.brightness)
        contrast = random.uniform(1 - self.contrast, 1 + self.contrast)
        equalise = random.random() < self.clahe_probability
        angle = random.uniform(-self.rotation_deg, self.rotation_deg)
        side = frame.shape[-1]
        shift = np.rint(random.uniform(-self.shift, self.shift, size=2) * side)
        magnification = self.magnification ** random.uniform(-1, 1)
        jitter = random.random() < self.jitter_probability
        if equalise:  # before the move, which brings black in from outside the frame
            frame = equalise_locally(frame, self.clahe_clip_limit)
        image = torch.from_numpy(np.array(frame))[None]
        if jitter:
            image = transforms.adjust_brightness(image, brightness)
            image = transforms.adjust_contrast(image, contrast)
        moved = {
            "angle": angle,
            "translate": [int(shift[0]), int(shift[1])],
            "scale": magnification,
            "shear": [0.0, 0.0],
        }
        image = transforms.affine(image, interpolation=InterpolationMode.BILINEAR, **moved)
        outline = transforms.affine(
            torch.from_numpy(np.array(values))[None],
            interpolation=InterpolationMode.NEAREST,
            **moved,
        )
        return image[0], outline[0]


PAPER = Augmentation(jitter_probability=0.5)
"""The recipe of arXiv 2507.22802."""


def equalise_locally(frame: NDArray[np.uint8], clip_limit: float) -> NDArray[np.uint8]:
    """Contrast-limited adaptive histogram equalisation that leaves black pixels black.

    Parameters
    ----------
    frame : (S, S) uint8 array
    clip_limit : float
        0 to 1, of ``skimage.exposure.equalize_adapthist``.

    Returns
    -------
    (S, S) uint8 array
    """
    if not frame.any():
        return frame
    equalised = equalize_adapthist(frame, clip_limit=clip_limit)
    return np.where(frame > 0, np.rint(equalised * 255), 0).astype(np.uint8)
