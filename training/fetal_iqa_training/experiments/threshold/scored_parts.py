"""The predictions of CLS and SEG of one run, for the experiments with thresholds and rules."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fetal_iqa_models import FrameClassifier, FrameSegmenter
from fetal_iqa_models.thresholds import AREA_THRESHOLD, MASK_THRESHOLD, QUALITY_THRESHOLD
from fetal_iqa_training.experiments.part_frames import PartFrames, outputs
from fetal_iqa_training.experiments.tables.csv_text import Cells
from fetal_iqa_training.experiments.threshold.rule import RuleFrames
from fetal_iqa_training.experiments.threshold.rule_features import case_features, mask_features
from fetal_iqa_training.experiments.threshold.study import ScoredFrames


@dataclass(frozen=True, eq=False)
class ScoredPart:
    """Frames of one part of the data with what one run's models predict of them.

    Parameters
    ----------
    part : PartFrames
    quality : (N,) float32
        Probability of CLS.
    share : (N,) float32
        Of the network's square that the mask of SEG covers.
    shapes : (N, 7) float64
        :func:`~fetal_iqa_training.experiments.threshold.rule_features.mask_features` of the mask
        and the probabilities at the network's size.
    cls, seg : (N,) bool
        What each decides, at its card's threshold.
    """

    part: PartFrames
    quality: NDArray[np.float32]
    share: NDArray[np.float32]
    shapes: NDArray[np.float64]
    cls: NDArray[np.bool_]
    seg: NDArray[np.bool_]

    def for_threshold(self) -> ScoredFrames:
        """Return what the study of the threshold takes."""
        return ScoredFrames(self.share, self.part.positive)

    def for_rule(self) -> RuleFrames:
        """Return what the study of the combined rule takes."""
        number_of_sweep = np.unique(self.part.sweep, return_inverse=True)[1]
        found = case_features(self.shapes, self.quality, self.share, number_of_sweep)
        return RuleFrames(
            found.names, found.values, self.part.positive, self.part.subject, self.seg, self.cls
        )

    def lines(self, name: str) -> Iterator[Cells]:
        """Yield a line per frame, so that every metric can be checked."""
        for row in range(len(self.part)):
            yield {
                "part": name,
                "subject": self.part.subject[row],
                "sweep": self.part.sweep[row],
                "frame": int(self.part.number[row]),
                "positive": int(self.part.positive[row]),
                "quality": float(self.quality[row]),
                "area_fraction": float(self.share[row]),
                "cls": int(self.cls[row]),
                "seg": int(self.seg[row]),
            }


def score_part(
    classifier: FrameClassifier, segmenter: FrameSegmenter, part: PartFrames, device: str
) -> ScoredPart:
    """Run both networks over the frames of a part.

    Parameters
    ----------
    classifier, segmenter : FrameClassifier, FrameSegmenter
        With encoders of one image size, that of the frames.
    part : PartFrames
    device : {"auto", "cuda", "mps", "cpu"}
    """
    card = classifier.card
    temperature = 1.0 if card is None else card.temperature
    quality_threshold = QUALITY_THRESHOLD if card is None else card.quality_threshold
    logits = torch.cat(list(outputs(classifier, classifier.encoder.spec, part.frames, device)))
    quality = (logits[:, 0] / temperature).sigmoid().numpy()

    card = segmenter.card
    mask_threshold = MASK_THRESHOLD if card is None else card.mask_threshold
    area_threshold = AREA_THRESHOLD if card is None else card.area_threshold
    shares: list[NDArray[np.float32]] = []
    shapes: list[NDArray[np.float64]] = []
    for batch in outputs(segmenter, segmenter.encoder.spec, part.frames, device):
        probabilities = batch[:, 0].sigmoid()
        masks = probabilities > mask_threshold
        shares.append(masks.float().mean((1, 2)).numpy())
        described = zip(masks.numpy(), probabilities.numpy(), strict=True)
        shapes.extend(mask_features(mask, probability) for mask, probability in described)
    share = np.concatenate(shares)
    return ScoredPart(
        part,
        quality,
        share,
        np.stack(shapes),
        cls=quality > quality_threshold,
        seg=share >= area_threshold,
    )
