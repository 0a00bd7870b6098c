"""The frames of one part of the data at the network's size, read once, and a network over them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fetal_iqa_models import EncoderSpec, choose_device, preprocess
from fetal_iqa_training.data.frame_set import build_frame_set
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, LabelledFrames
from fetal_iqa_training.progress import Progress, Report

BATCH = 32  # as in training: a network that could be fitted can also be run


@dataclass(frozen=True, eq=False)
class PartFrames:
    """Frames, whose they are, and what is true of them.

    Parameters
    ----------
    frames : (N, S, S) uint8 array, memory-mapped
    positive : (N,) bool array
        An expert outlined the abdomen.
    subject, sweep : (N,) str arrays
        Frames of one sweep are in order and one after the other.
    number : (N,) int array
        Of the frame in its sweep, 0-based.
    """

    frames: NDArray[np.uint8]
    positive: NDArray[np.bool_]
    subject: NDArray[np.str_]
    sweep: NDArray[np.str_]
    number: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.positive)

    def sample(self, limit: int, seed: int) -> "PartFrames":
        """Draw at most so many frames, with and without an abdomen in their proportion."""
        if len(self) <= limit:
            return self
        random = np.random.default_rng(seed)
        kinds = np.flatnonzero(self.positive), np.flatnonzero(~self.positive)
        share = round(limit * len(kinds[0]) / len(self))
        most = limit - min(1, len(kinds[1]))  # at least one of each kind that there is
        n_positive = min(max(share, min(1, len(kinds[0]))), most)
        chosen = [
            random.choice(kind, count, replace=False)
            for kind, count in zip(kinds, (n_positive, limit - n_positive), strict=True)
        ]
        rows = np.sort(np.concatenate(chosen))
        return PartFrames(
            self.frames[rows],
            self.positive[rows],
            self.subject[rows],
            self.sweep[rows],
            self.number[rows],
        )


def read_part(
    cases: Sequence[AnnotatedCase], image_size: int, folder: Path, report: Report
) -> PartFrames:
    """Read the annotated sweeps of cases, one at a time, into a folder of memory-mapped files.

    Parameters
    ----------
    cases : sequence of AnnotatedCase
    image_size : int
        Side S of the network's square input.
    folder : Path
        Must stay as long as the frames are used.
    report : callable
    """
    subjects: list[str] = []
    sweeps: list[str] = []
    numbers: list[NDArray[np.intp]] = []

    def noted() -> Iterator[LabelledFrames]:
        for case in cases:
            for source in case.read():
                count = len(source.positive)
                subjects.extend([case.subject_id] * count)
                sweeps.extend([source.sweep] * count)
                numbers.append(np.arange(count) if source.numbers is None else source.numbers)
                yield source

    total = sum(case.n_sources for case in cases)
    built = build_frame_set(
        noted(), image_size, folder, lambda done: report(Progress("reading", done, total))
    )
    return PartFrames(
        built.frames, built.positive, np.array(subjects), np.array(sweeps), np.concatenate(numbers)
    )


@torch.inference_mode()
def outputs(
    network: nn.Module, spec: EncoderSpec, frames: NDArray[np.uint8], device: str
) -> Iterator[Tensor]:
    """Run a network over frames of its own size, batch by batch, in bfloat16 where a GPU has it.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; moved to the device.
    spec : EncoderSpec
        Of its encoder.
    frames : (N, S, S) uint8 array
    device : {"auto", "cuda", "mps", "cpu"}

    Yields
    ------
    (n, ...) float32 tensor
        On the CPU.
    """
    chosen = choose_device(device)
    network.to(chosen)
    reduced = chosen.type == "cuda" and torch.cuda.is_bf16_supported(False)
    for start in range(0, len(frames), BATCH):
        batch = np.array(frames[start : start + BATCH])  # torch warns of read-only memory maps
        images = torch.from_numpy(batch).to(chosen)
        inputs = preprocess(images, spec.image_size, spec.mean, spec.std)
        with torch.autocast(chosen.type, torch.bfloat16, reduced):
            found = network(inputs)
        yield found.float().cpu()
