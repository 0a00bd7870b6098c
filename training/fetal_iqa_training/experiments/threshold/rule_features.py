"""What the combined rule looks at: numbers of a frame's mask, its scores and its neighbours."""

from dataclasses import dataclass
from math import pi
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, spatial
from scipy.special import logit
from skimage.measure import perimeter

from fetal_iqa_training.errors import TrainingError

MASK_FEATURES: Final = {
    "main_part": "share of the mask that lies in its largest connected part",
    "compactness": "4 pi area / perimeter^2 of that part; near 1 for a disc",
    "solidity": "area of that part over that of its convex hull; 1 where it is convex",
    "ellipse_likeness": "its area over that of the ellipse with its second moments",
    "roundness": "shorter over longer axis of that ellipse; 1 for a disc",
}
"""Of one mask, each 0 to 1; all are 0 where the mask is empty."""

PROBABILITY_FEATURES: Final = {
    "inside_probability": "mean probability inside the mask",
    "edge_sharpness": "mean probability just inside its edge less that just outside",
}
"""Of one mask and SEG's probabilities, each 0 to 1; 0 where the mask is empty."""

SCORE_FEATURES: Final = {
    "log_area": "decimal logarithm of the share of the square that the mask covers, -5 or more",
    "cls_logit": "logit of the CLS probability, -10 to 10",
    "area_nearby": "mean log_area of the other frames within 2 of the same sweep",
    "cls_nearby": "mean cls_logit of the other frames within 2 of the same sweep",
}
"""Of the scores of a frame and its neighbours; a frame without neighbours is its own."""

NEAR_FRAMES = 2  # as far as the best-frame rule smooths
EDGE_PX = 2
"""How wide the bands on both sides of a mask's edge are."""
_SMALLEST_SHARE = 1e-5  # half a pixel of 224 x 224: what an empty mask counts as
_LARGEST_LOGIT = 10.0  # a saturated score is very sure, and not infinitely so


@dataclass(frozen=True, eq=False)
class RuleFeatures:
    """Features of frames.

    Parameters
    ----------
    names : tuple of str
        One a column; see the tables above.
    values : (T, F) float64
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]


def mask_features(
    mask: NDArray[Any], probability: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Describe the shape of one mask.

    Pixels are taken as square. Masks to compare must be on one grid: the edge's width is in pixels.

    Parameters
    ----------
    mask : (H, W) array
        Abdomen where it is not 0.
    probability : (H, W) float, optional
        SEG's probabilities on the same grid.

    Returns
    -------
    (5,) or, with probabilities, (7,) float64 array
        In the order of :data:`MASK_FEATURES` and :data:`PROBABILITY_FEATURES`.

    References
    ----------
    Compactness (isoperimetric quotient) and solidity as in Russ, The image processing handbook.
    No shape has smaller second moments than an ellipse of its area, hence the bound of 1.
    """
    inside = np.asarray(mask) != 0
    count = len(MASK_FEATURES) + (0 if probability is None else len(PROBABILITY_FEATURES))
    if not inside.any():
        return np.zeros(count)
    # a margin around the mask: all that is looked at
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    around = tuple(
        slice(max(0, int(lines[0]) - EDGE_PX), int(lines[-1]) + 1 + EDGE_PX)
        for lines in (rows, columns)
    )
    inside = inside[around]
    shape = _shape_features(inside)
    if probability is None:
        return np.array(shape)
    return np.array([*shape, *_probability_features(inside, np.asarray(probability)[around])])


def case_features(
    shapes: NDArray[np.float64],
    quality: ArrayLike,
    area_fraction: ArrayLike,
    sweep: ArrayLike,
) -> RuleFeatures:
    """Put the features of a case's frames together, with those of their neighbours in time.

    Parameters
    ----------
    shapes : (T, 5) or (T, 7) float
        :func:`mask_features` of each frame.
    quality : (T,) float
        CLS probability.
    area_fraction : (T,) float
        Share of the padded square that SEG's mask covers.
    sweep : (T,) int
        Which sweep each frame belongs to, frames of one sweep in order and one after the other.

    Returns
    -------
    RuleFeatures
        4 more columns than the shapes have.

    Raises
    ------
    TrainingError
        Where a score is no number.
    ValueError
        Where there is not one of each a frame.
    """
    scores = [np.asarray(part, np.float64) for part in (quality, area_fraction)]
    of_sweep = np.asarray(sweep)
    if any(part.shape != (len(shapes),) for part in (*scores, of_sweep)):
        raise ValueError(
            "expected one quality, area and sweep a frame, found "
            f"{scores[0].shape}, {scores[1].shape}, {of_sweep.shape} for {len(shapes)} frames"
        )
    if not all(np.isfinite(part).all() for part in scores):
        raise TrainingError("the combined rule: a model gives no numbers; train it again")
    log_area = np.log10(np.maximum(scores[1], _SMALLEST_SHARE))
    certain = 1 / (1 + np.exp(_LARGEST_LOGIT))
    cls_logit = logit(np.clip(scores[0], certain, 1 - certain))
    named = [*MASK_FEATURES, *PROBABILITY_FEATURES][: shapes.shape[1]]
    columns = [log_area, cls_logit, _nearby(log_area, of_sweep), _nearby(cls_logit, of_sweep)]
    return RuleFeatures((*named, *SCORE_FEATURES), np.column_stack([shapes, *columns]))


def _shape_features(inside: NDArray[np.bool_]) -> tuple[float, ...]:
    parts, count = ndimage.label(inside)
    main = inside if count == 1 else parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    area = float(main.sum())
    around = float(perimeter(np.pad(main, 1)))
    pixels = np.argwhere(main)
    # pixels as unit squares: their own second moments are 1/12, their corners half a pixel away
    spread = np.cov(pixels.T, bias=True) + np.eye(2) / 12
    shorter, longer = np.sqrt(np.linalg.eigvalsh(spread))
    half = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    edge = np.argwhere(main & ~ndimage.binary_erosion(main))
    hull = spatial.ConvexHull((edge[:, None] + half).reshape(-1, 2))
    return (
        area / float(inside.sum()),
        min(1.0, 4 * pi * area / around**2) if around > 0 else 1.0,
        min(1.0, area / float(hull.volume)),  # of two dimensions, the area
        min(1.0, area / float(4 * pi * shorter * longer)),
        float(shorter / longer),
    )


def _probability_features(
    inside: NDArray[np.bool_], probability: NDArray[np.floating]
) -> tuple[float, float]:
    inner = inside & ~ndimage.binary_erosion(inside, iterations=EDGE_PX)
    outer = ndimage.binary_dilation(inside, iterations=EDGE_PX) & ~inside
    beyond = float(probability[outer].mean()) if outer.any() else 0.0
    return float(probability[inside].mean()), max(0.0, float(probability[inner].mean()) - beyond)


def _nearby(values: NDArray[np.float64], sweep: NDArray[Any]) -> NDArray[np.float64]:
    """Mean of the other frames within reach of the same sweep; a lone frame is its own."""
    weights = np.ones(2 * NEAR_FRAMES + 1)
    weights[NEAR_FRAMES] = 0
    means = values.copy()
    for number in np.unique(sweep):
        own = np.flatnonzero(sweep == number)
        total = ndimage.correlate1d(values[own], weights, mode="constant")
        count = ndimage.correlate1d(np.ones(len(own)), weights, mode="constant")
        known = count > 0
        means[own[known]] = total[known] / count[known]
    return means
