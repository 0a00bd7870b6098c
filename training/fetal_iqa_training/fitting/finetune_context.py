"""What a model is fine-tuned on and judged by: corrections, and data known before."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fetal_iqa_models.networks import Network
from fetal_iqa_training.data.correction_set import CorrectionSet
from fetal_iqa_training.data.corrections import CorrectedSweep, corrected_frames
from fetal_iqa_training.data.frame_set import FrameSet, build_frame_set
from fetal_iqa_training.data.hold_out import unit_of
from fetal_iqa_training.data.labelled_frames import LabelledFrames
from fetal_iqa_training.data.phantoms import (
    balanced_frames,
    reference_phantoms,
    rehearsal_phantoms,
)
from fetal_iqa_training.evaluation.evaluate import Evaluation, judge
from fetal_iqa_training.progress import Progress, Report
from fetal_iqa_training.settings import FinetuneSettings
from fetal_iqa_training.transforms.histogram_matching import GreyLevels
from fetal_iqa_training.transforms.speckle import respeckle
from napari_fetal_iqa.corrections.sweep_finder import SweepFinder


@dataclass(frozen=True)
class EarlierData:
    """Folders of data that the base knew before, in the layout of ACOUSLIC-AI or HC18.

    Parameters
    ----------
    reference : Path, optional
        Both are judged on it, so that forgetting shows; of a demo model phantoms by default.
    rehearsal : Path, optional
        Mixed into the training; of a demo model phantoms by default.
    """

    reference: Path | None = None
    rehearsal: Path | None = None


@dataclass(frozen=True)
class FinetuneContext:
    """What parent and child are fine-tuned and judged with.

    Parameters
    ----------
    network : FrameClassifier or FrameSegmenter
        The parent, and after the training the child: it is trained in place.
    corrections : CorrectionSet
    finder : SweepFinder
    settings : FinetuneSettings
    report : callable
    joined : mapping of str to str
        Of subjects, or sweeps of unknown ones, that share frames: the one that stands for all.
    rehearsed_too : collection of str
        Those whose frames are rehearsed as well, by the names of ``joined``.
    reference_without : collection of str
        Cases of the reference that are left out because they teach, or taught the base.
    """

    network: Network
    corrections: CorrectionSet
    finder: SweepFinder
    settings: FinetuneSettings
    report: Report
    joined: Mapping[str, str] = field(default_factory=dict)
    rehearsed_too: Collection[str] = ()
    reference_without: Collection[str] = ()

    def judged(self, reference: Path | None) -> dict[str, Evaluation]:
        """Judge the network on the corrections, on the hold-out and on the reference."""
        split = self.corrections.split
        sources = {
            "corrections": self._frames_of(split.training),
            "hold_out": self._frames_of(split.hold_out) if split.hold_out else None,
            "reference": balanced_frames(reference, self.reference_without) if reference else None,
        }
        return {
            name: judge(self.network, frames, device=self.settings.device, report=self.report)
            for name, frames in sources.items()
            if frames is not None
        }

    def frame_set(self, rehearsal: Path | None, folder: Path) -> tuple[FrameSet, list[str]]:
        """Build the training frames, corrected ones first; return also whose each of those is."""
        whose: list[str] = []
        levels = GreyLevels(self.settings.seed)
        random = np.random.default_rng(self.settings.seed)

        def frames() -> Iterator[LabelledFrames]:
            for source in self._frames_of(self.corrections.split.training):
                whose.extend([source.subject or source.sweep] * len(source.positive))
                levels.see(source.frames)
                yield source
            for source in balanced_frames(rehearsal) if rehearsal else ():
                yield source
                if self.settings.rehearse_alike:
                    alike = levels.lend(respeckle(source.frames, random))
                    yield replace(source, frames=alike)

        size = self.network.encoder.spec.image_size
        report = self.report
        frame_set = build_frame_set(
            frames(),
            size,
            folder,
            lambda done: report(Progress("reading", done)),
            self.network.resize,
        )
        return frame_set, whose

    def check_sweeps(self) -> None:
        """Look for the volume of every sweep.

        Raises
        ------
        SweepError
            Names all sweeps that are not found.
        """
        split = self.corrections.split
        self.finder.check([sweep.record for sweep in (*split.training, *split.hold_out)])

    def _frames_of(self, side: Sequence[CorrectedSweep]) -> Iterator[LabelledFrames]:
        for sweep in side:
            volume = self.finder.find(sweep.record)
            whose = self.joined.get(unit_of(sweep), sweep.subject)
            for source in corrected_frames(sweep, volume, self.corrections.task):
                yield replace(source, subject=whose)


def with_phantoms(
    network: Network, settings: FinetuneSettings, given: EarlierData, report: Report
) -> EarlierData:
    """Fill in the phantoms of a demo model; no rehearsal where none is wanted."""
    demo = network.card is not None and network.card.demo
    reference, rehearsal = given.reference, given.rehearsal if settings.rehearsal else None
    if demo and reference is None:
        reference = reference_phantoms(report)
    if demo and rehearsal is None and settings.rehearsal:
        rehearsal = rehearsal_phantoms(report)
    return EarlierData(reference, rehearsal)
