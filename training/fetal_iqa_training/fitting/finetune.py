"""Fine-tuning a model on corrections: a few frames, an adapter, a child of the model."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from torch.utils.data import DataLoader, Sampler

from fetal_iqa_models import ModelCard, load_card, load_model, save_model, set_strategy
from fetal_iqa_models.networks import Network
from fetal_iqa_training.data.correction_set import Lesson, prepare_lesson
from fetal_iqa_training.data.corrections import SweepFinder, corrected_frames
from fetal_iqa_training.data.frame_set import FrameDataset, FrameSet, Sample, build_frame_set
from fetal_iqa_training.data.labelled_frames import LabelledFrames
from fetal_iqa_training.data.phantoms import old_frames, reference_phantoms, rehearsal_phantoms
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.comparison import changed, intervals, per_sweep
from fetal_iqa_training.evaluation.evaluate import Evaluation, judge
from fetal_iqa_training.fitting.fit import check_is_free, enter
from fetal_iqa_training.fitting.module import FrameLearner
from fetal_iqa_training.fitting.samplers import BalancedDraws, BatchShard, EveryFrame, rank
from fetal_iqa_training.fitting.trainer import Schedule, run_training
from fetal_iqa_training.progress import Progress, Report, silent
from fetal_iqa_training.settings import STEPS_A_ROUND, FinetuneSettings
from fetal_iqa_training.transforms.augmentation import Augmentation
from fetal_iqa_training.transforms.histogram_matching import GreyLevels
from fetal_iqa_training.transforms.speckle import respeckle
from napari_fetal_iqa.corrections.consensus import CorrectedSweep
from napari_fetal_iqa.model_library.comparison import ModelComparison
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.version import TOOL_VERSION

_SHOWN = 64
"""Without patience the progress shows the figures of as many frames that are learnt from."""
_KEPT_BACK = 5
"""With patience, one corrected frame in five chooses when to stop."""


@dataclass(frozen=True)
class OldData:
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


def finetune(
    stores: Sequence[Path],
    base: Path | str,
    out: Path,
    settings: FinetuneSettings,
    *,
    sweep_folders: Sequence[Path] = (),
    reviewer: str | None = None,
    negatives: int = 0,
    encoder_weights: Path | None = None,
    old_data: OldData | None = None,
    course: Schedule | None = None,
    command: str = "",
    report: Report = silent,
) -> ModelCard | None:
    """Teach a model what experts corrected and write the child's model folder.

    A base that carries an adapter goes on with it, another gets a new one; the head trains
    too. An encoder that takes no LoRA is trained in full. Without patience the last weights are
    kept: the hold-out judges parent and child and chooses nothing.

    Beside ``out`` a hidden work folder holds frames and checkpoints while it runs; the same
    call goes on from there after it was cut off. The folder ``out`` appears whole at the end.

    Parameters
    ----------
    stores : sequence of Path
        Corrections stores.
    base : path or str
        Model folder, or the name of a shipped model.
    out : Path
        Model folder to make.
    settings : FinetuneSettings
    sweep_folders : sequence of Path
        Where to look for sweeps that were moved.
    reviewer : str, optional
        Learn from this reviewer alone; else from the consensus.
    negatives : int
        Frames without an abdomen to take from each sweep marked as fully reviewed.
    encoder_weights : Path, optional
        Where the base's folder does not hold its encoder; else those fetched before.
    old_data : OldData, optional
    course : Schedule, optional
        Its stop file and its processes; how long it goes on is in ``settings``.
    command : str
        Noted in the card.
    report : callable, optional

    Returns
    -------
    ModelCard or None
        Of the child; None in all processes but the first. ``metrics`` has ``parent`` and
        ``child`` on the ``corrections`` that were learnt from, on the ``hold_out`` and on the
        ``reference``, as far as there are such; for the latter two ``intervals``, for the
        hold-out also ``sweeps`` and ``changed``; and ``note``, why nothing was held out.

    Raises
    ------
    TrainingError
        Where there is too little to learn from, a sweep is not found, or ``out`` exists.
    ModelError
        Where the base is unusable or of another task.
    StoreError
        Where a file is no corrections store.
    """
    check_is_free(out)
    network = load_model(base, encoder_weights, paths.weights())
    if network.task != settings.task:
        raise TrainingError(
            f"{base}: is a {network.task} model and the task is {settings.task}; "
            "choose a base of the task"
        )
    course = course or Schedule()
    if settings.batch_size % course.processes:
        raise TrainingError(
            f"batches of {settings.batch_size} frames cannot be shared by {course.processes} "
            "processes; choose a multiple of them"
        )
    lesson = prepare_lesson(stores, settings.task, reviewer, negatives)
    lesson.check()
    context = FinetuneContext(network, lesson, SweepFinder(sweep_folders), settings, report)
    folders = _old_folders(network, settings, old_data or OldData(), report)
    first = rank() == 0
    parent = context.judged(folders.reference) if first else {}
    work = out.parent / f".{out.name}.training"
    frames, n_corrected = context.frame_set(folders.rehearsal, work / f"frames-{rank()}")
    run = work / "run"
    if first:
        enter(run, f"{network.hash}\n{frames.data_hash}\n{settings.model_dump_json()}\n")
    _learn(network, frames, n_corrected, settings, run, course, report)
    if not first:
        return None
    training: dict[str, JsonValue] = {
        "command": command,
        "settings": settings.model_dump(mode="json"),
        "sweeps": len(lesson.split.training),
        "frames": n_corrected,
        "positives": int(frames.positive[:n_corrected].sum()),
        "rehearsed": len(frames) - n_corrected,
    }
    data_hash = frames.data_hash
    del frames  # its files are open, and go with the work folder
    metrics = _compared(parent, context.judged(folders.reference), lesson)
    save_model(network, out, _card_of_child(network, training, data_hash, metrics))
    shutil.rmtree(work, ignore_errors=True)
    return load_card(out)


@dataclass(frozen=True)
class FinetuneContext:
    """What parent and child are taught and judged with."""

    network: Network
    lesson: Lesson
    finder: SweepFinder
    settings: FinetuneSettings
    report: Report

    def judged(self, reference: Path | None) -> dict[str, Evaluation]:
        """Judge the network on what it learns from, on the hold-out and on the reference."""
        split = self.lesson.split
        sources = {
            "corrections": self._frames_of(split.training),
            "hold_out": self._frames_of(split.hold_out) if split.hold_out else None,
            "reference": old_frames(reference) if reference else None,
        }
        return {
            name: judge(self.network, frames, device=self.settings.device, report=self.report)
            for name, frames in sources.items()
            if frames is not None
        }

    def frame_set(self, rehearsal: Path | None, folder: Path) -> tuple[FrameSet, int]:
        """Build the training frames, corrected ones first; return also how many those are."""
        corrected = 0
        levels = GreyLevels(self.settings.seed)
        random = np.random.default_rng(self.settings.seed)

        def frames() -> Iterator[LabelledFrames]:
            nonlocal corrected
            for source in self._frames_of(self.lesson.split.training):
                corrected += len(source.positive)
                levels.see(source.frames)
                yield source
            for source in old_frames(rehearsal) if rehearsal else ():
                yield source
                if self.settings.rehearse_alike:
                    alike = levels.lend(respeckle(source.frames, random))
                    yield replace(source, frames=alike)

        size = self.network.encoder.spec.image_size
        report = self.report
        frame_set = build_frame_set(
            frames(), size, folder, lambda done: report(Progress("reading", done))
        )
        return frame_set, corrected

    def _frames_of(self, side: Sequence[CorrectedSweep]) -> Iterator[LabelledFrames]:
        for sweep in side:
            yield from corrected_frames(sweep, self.finder.find(sweep.record), self.lesson.task)


def _old_folders(
    network: Network, settings: FinetuneSettings, given: OldData, report: Report
) -> OldData:
    """Fill in the phantoms of a demo model; no rehearsal where none is wanted."""
    demo = network.card is not None and network.card.demo
    reference, rehearsal = given.reference, given.rehearsal if settings.rehearsal else None
    if demo and reference is None:
        reference = reference_phantoms(report)
    if demo and rehearsal is None and settings.rehearsal:
        rehearsal = rehearsal_phantoms(report)
    return OldData(reference, rehearsal)


def _learn(
    network: Network,
    frames: FrameSet,
    n_corrected: int,
    settings: FinetuneSettings,
    folder: Path,
    course: Schedule,
    report: Report,
) -> None:
    takes_lora = network.lora is not None or network.encoder.spec.lora_targets is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        set_strategy(network, "lora" if takes_lora else "full", settings.lora)
    before = {name: p.detach().clone() for name, p in _trained(network)}
    learnt, kept_back = _kept_back(frames.positive[:n_corrected], settings.patience is not None)
    sampler: Sampler[Sample]
    if settings.steps is None:
        sampler = EveryFrame(len(frames), settings.copies, settings.seed)
    else:
        kinds = _kinds(frames.positive, learnt, n_corrected, settings.rehearsal)
        draws = min(settings.steps, STEPS_A_ROUND) * settings.batch_size
        sampler = BalancedDraws(kinds, draws, settings.seed)
    shown = kept_back if len(kept_back) else learnt[:_SHOWN]
    dataset = FrameDataset(frames, Augmentation(magnification=settings.magnification))
    run_training(
        FrameLearner(network, settings),
        DataLoader(
            dataset,
            batch_size=settings.batch_size // course.processes,
            sampler=BatchShard(sampler, settings.batch_size),
            num_workers=settings.workers,
            persistent_workers=settings.workers > 0,
        ),
        DataLoader(dataset, settings.batch_size, sampler=shown.tolist()),
        folder,
        settings,
        replace(
            course,
            epochs=settings.epochs if settings.steps is None else None,
            steps=settings.steps,
            keep_best=len(kept_back) > 0,
            patience=settings.patience if len(kept_back) else None,
        ),
        report,
    )
    with torch.no_grad():
        for name, parameter in _trained(network):
            parameter.lerp_(before[name], 1 - settings.blend)


def _trained(network: Network) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, p) for name, p in network.named_parameters() if p.requires_grad]


def _kept_back(
    positive: NDArray[np.bool_], wanted: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Divide corrected frames into those to learn from and one in five of each kind."""
    kinds = np.flatnonzero(positive), np.flatnonzero(~positive)
    back = [kind[_KEPT_BACK // 2 :: _KEPT_BACK] for kind in kinds]
    kept_back = np.sort(np.concatenate(back)) if wanted else np.zeros(0, np.intp)
    return np.setdiff1d(np.arange(len(positive)), kept_back), kept_back


def _kinds(
    positive: NDArray[np.bool_], learnt: NDArray[np.intp], n_corrected: int, rehearsal: int
) -> list[NDArray[np.intp]]:
    """Return the kinds of frame that a step has as many of each of."""
    old = np.arange(n_corrected, len(positive))
    kinds = [learnt[positive[learnt]], learnt[~positive[learnt]]]
    if rehearsal == 1:
        kinds.append(old)
    elif rehearsal:
        kinds += [old[positive[old]], old[~positive[old]]]
    return kinds


def _compared(
    parent: dict[str, Evaluation], child: dict[str, Evaluation], lesson: Lesson
) -> dict[str, JsonValue]:
    metrics: dict[str, JsonValue] = {
        side: {name: evaluation.as_metrics() for name, evaluation in judged.items()}
        for side, judged in (("parent", parent), ("child", child))
    }
    metrics["intervals"] = {
        name: intervals(parent[name].outcomes, child[name].outcomes)
        for name in parent
        if name != "corrections"
    }
    if "hold_out" in parent:
        held = parent["hold_out"].outcomes, child["hold_out"].outcomes
        metrics["sweeps"] = per_sweep(*held)
        metrics["changed"] = changed(*held, lesson.task)
    else:
        metrics["note"] = lesson.note
    return ModelComparison.model_validate(metrics).model_dump(mode="json", exclude_unset=True)


def _card_of_child(
    network: Network,
    training: dict[str, JsonValue],
    data_hash: str,
    metrics: dict[str, JsonValue],
) -> ModelCard:
    """Take over what the parent's card says but for what the training changed."""
    assert network.card is not None
    encoder_is_new = any(
        parameter.requires_grad and ".lora_" not in name
        for name, parameter in network.encoder.named_parameters()
    )
    return network.card.model_copy(
        update={
            "name": f"{network.card.encoder} {network.task}, fine-tuned"
            + (", demo" if network.card.demo else ""),
            "encoder_weights": "own" if encoder_is_new else network.card.encoder_weights,
            "parent": network.hash,
            "training_data": data_hash,
            "training": training,
            "metrics": metrics,
            "tool_version": TOOL_VERSION,
        }
    )
