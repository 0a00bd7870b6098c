"""Frames of which reviewers judged the six criteria of the abdominal plane, out of the stores."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.corrections.sweep_finder import SweepFinder
from napari_fetal_iqa.criteria import Criterion, Verdicts


@dataclass(frozen=True)
class JudgedFrames:
    """The judged frames of one sweep.

    Parameters
    ----------
    subject : str
        Whose sweep it is; its content identity where nobody said.
    frames : (N, H, W) uint8 array
    met : (N, 6) float32 array
        By :class:`~napari_fetal_iqa.criteria.Criterion`, in their order: 1 where it is met, 0 where
        it is not, nan where nobody judged it.
    """

    subject: str
    frames: NDArray[np.uint8]
    met: NDArray[np.float32]


def read_judged(
    stores: Iterable[Path], sweeps: Sequence[Path] = (), reviewer: str | None = None
) -> list[JudgedFrames]:
    """Read what reviewers said of criteria, and the frames that they said it of.

    Where several judged one criterion of a frame, that which most of them say counts; of a draw
    nothing is known.

    Parameters
    ----------
    stores : iterable of Path
    sweeps : sequence of Path
        Folders in which moved sweeps are looked for.
    reviewer : str, optional
        Only this one's words.

    Raises
    ------
    TrainingError
        Where a store is not there, or no frame was judged.
    StoreError, SweepError
        Where a store or a sweep cannot be read.
    """
    finder = SweepFinder(sweeps)
    found = []
    for path in stores:
        if not path.is_file():
            raise TrainingError(f"{path}: there is no corrections store; check the path")
        with CorrectionStore(path) as store:
            for record in store.sweeps():
                names = [reviewer] if reviewer else store.reviewers(record.identity)
                said = [store.verdicts(record.identity, name) for name in names]
                if not any(said):
                    continue
                whose = store.subject(record.identity)
                subject = whose.key if whose else record.identity
                met = majority(said)
                volume = finder.find(record)
                frames = np.stack([np.asarray(volume.frames[frame]) for frame in met])
                rows = [
                    [verdicts.get(one, np.nan) for one in Criterion] for verdicts in met.values()
                ]
                found.append(JudgedFrames(subject, frames, np.array(rows, np.float32)))
    if not found:
        raise TrainingError(
            "no frame's criteria were judged; judge some in the window (Ctrl+1 to Ctrl+6) first"
        )
    return found


def majority(said: Sequence[Mapping[int, Verdicts]]) -> dict[int, dict[Criterion, bool]]:
    """Join what several reviewers say, by frame: what most of them say; nothing of a draw."""
    joined: dict[int, dict[Criterion, bool]] = {}
    for frame in sorted({frame for one in said for frame in one}):
        verdicts = {}
        for criterion in Criterion:
            votes = Counter(
                one[frame][criterion] for one in said if criterion in one.get(frame, {})
            )
            if votes[True] != votes[False]:
                verdicts[criterion] = votes[True] > votes[False]
        if verdicts:
            joined[frame] = verdicts
    return joined
