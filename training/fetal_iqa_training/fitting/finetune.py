"""Fine-tuning a model on corrections: a few frames, an adapter, a child of the model."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from torch.utils.data import DataLoader, Sampler

from fetal_iqa_models import (
    ModelCard,
    choose_device,
    load_card,
    load_model,
    save_model,
    set_strategy,
)
from fetal_iqa_models.cards import Taught
from fetal_iqa_models.networks import Network
from fetal_iqa_training.data.correction_set import CorrectionSet, read_correction_set
from fetal_iqa_training.data.frame_set import FrameDataset, FrameSet, Sample
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.comparison import (
    ERRORS,
    changed,
    circumferences,
    intervals,
    per_sweep,
    resampled_units,
)
from fetal_iqa_training.evaluation.evaluate import Evaluation
from fetal_iqa_training.fitting.finetune_context import (
    EarlierData,
    FinetuneContext,
    with_phantoms,
)
from fetal_iqa_training.fitting.frozen_encoder import encoder_is_trained
from fetal_iqa_training.fitting.kept_back import kept_back
from fetal_iqa_training.fitting.module import FrameLearner
from fetal_iqa_training.fitting.processes import rank
from fetal_iqa_training.fitting.rehearsed import what_is_rehearsed
from fetal_iqa_training.fitting.samplers import BalancedSampler, BatchShard, EveryFrame
from fetal_iqa_training.fitting.stopping import STOPPED, Stopped
from fetal_iqa_training.fitting.told_apart import told_apart
from fetal_iqa_training.fitting.trainer import Schedule, run_training
from fetal_iqa_training.fitting.work_folder import check_is_free, enter
from fetal_iqa_training.progress import Report, silent
from fetal_iqa_training.settings import STEPS_A_ROUND, FinetuneSettings
from fetal_iqa_training.transforms.augmentation import PAPER, Augmentation
from napari_fetal_iqa.corrections.sweep_finder import SweepFinder
from napari_fetal_iqa.model_library.comparison import ModelComparison
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.version import TOOL_VERSION

_SHOWN = 64
"""Without patience the progress shows the metrics on as many of the training frames."""


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
    earlier_data: EarlierData | None = None,
    schedule: Schedule | None = None,
    command: str = "",
    report: Report = silent,
) -> ModelCard | None:
    """Fine-tune a model on what experts corrected and write the child's model folder.

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
        Only the corrections of this reviewer; else the consensus of all.
    negatives : int
        Frames without an abdomen to take from each sweep marked as fully reviewed.
    encoder_weights : Path, optional
        Where the base's folder does not hold its encoder; else those fetched before.
    earlier_data : EarlierData, optional
    schedule : Schedule, optional
        Its stop file and its processes; how long it goes on is in ``settings``.
    command : str
        Noted in the card.
    report : callable, optional

    Returns
    -------
    ModelCard or None
        Of the child; None in all processes but the first. ``metrics`` has ``parent`` and
        ``child`` on the ``corrections`` that it was fine-tuned on, on the ``hold_out`` and on the
        ``reference``, as far as there are such; for the latter two ``intervals``, for the
        hold-out also ``sweeps`` and ``changed``; ``units``, what was resampled for them; and
        ``note``, why nothing was held out. ``taught`` of the card says what the child and all its
        ancestors learnt from.

    Raises
    ------
    TrainingError
        Where there is too little to fine-tune on, or ``out`` exists.
    ModelError
        Where the base is unusable or of another task.
    StoreError, SweepError
        Where a file is no corrections store, or a sweep is not found.
    """
    check_is_free(out)
    choose_device(settings.device)  # now, and not after the sweeps were read
    network = load_model(base, encoder_weights, paths.weights())
    if network.task != settings.task:
        raise TrainingError(
            f"{base}: is a {network.task} model and the task is {settings.task}; "
            "choose a base of the task"
        )
    schedule = schedule or Schedule()
    schedule.check_shares(settings.batch_size)
    assert network.card is not None
    assert network.hash is not None
    corrections = read_correction_set(
        stores, settings.task, reviewer, negatives, network.card.lineage(network.hash)
    )
    corrections.check()
    finder = SweepFinder(sweep_folders)
    context = FinetuneContext(network, corrections, finder, settings, report)
    context.check_sweeps()
    given = earlier_data or EarlierData()
    folders = with_phantoms(network, settings, given, report)
    rehearsed = what_is_rehearsed(folders, given)
    context, taught = told_apart(context, rehearsed, given.reference)
    corrections = context.corrections
    first = rank() == 0
    # now, because the training changes the network in place
    parent = context.judged(folders.reference) if first else {}
    work = out.parent / f".{out.name}.training"
    frames, whose = context.frame_set(folders.rehearsal, work / f"frames-{rank()}")
    n_corrected = len(whose)
    run = work / "run"
    if first:
        enter(run, f"{network.hash}\n{frames.data_hash}\n{settings.model_dump_json()}\n")
    back = np.zeros(0, np.intp)
    if settings.patience is not None:
        back = kept_back(frames.positive[:n_corrected], whose, context.rehearsed_too)
    stopped = _train(network, frames, (n_corrected, back), settings, run, schedule, report)
    if not first:
        return None
    training: dict[str, JsonValue] = {
        "command": command,
        "settings": settings.model_dump(mode="json"),
        "sweeps": len(corrections.split.training),
        "frames": n_corrected,
        "positives": int(frames.positive[:n_corrected].sum()),
        "rehearsed": len(frames) - n_corrected,
        "kept_back": len(back),
        "set_aside": len(corrections.split.set_aside),
        "set_aside_for_shared_frames": corrections.split.shared,
        "reference_without": len(context.reference_without),
        "unknown_subjects": corrections.unknown_subjects,
    }
    if stopped is not None:
        training[STOPPED] = stopped.as_json()
    data_hash = frames.data_hash
    del frames  # its files are open, and go with the work folder
    metrics = _compared(parent, context.judged(folders.reference), corrections)
    save_model(network, out, _card_of_child(network, training, data_hash, taught, metrics))
    shutil.rmtree(work, ignore_errors=True)
    return load_card(out)


def _train(
    network: Network,
    frames: FrameSet,
    corrected: tuple[int, NDArray[np.intp]],
    settings: FinetuneSettings,
    folder: Path,
    schedule: Schedule,
    report: Report,
) -> Stopped | None:
    """Train in place; of how many corrected frames which are kept back choose when to stop."""
    n_corrected, back = corrected
    takes_lora = network.lora is not None or network.encoder.spec.lora_targets is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        set_strategy(network, "lora" if takes_lora else "full", settings.lora)
    before = {name: p.detach().clone() for name, p in _trained(network)}
    trained = np.setdiff1d(np.arange(n_corrected), back)
    sampler: Sampler[Sample]
    if settings.steps is None:
        sampler = EveryFrame(len(frames), settings.copies, settings.seed)
    else:
        kinds = _kinds(frames.positive, trained, n_corrected, settings.rehearsal)
        n_samples = min(settings.steps, STEPS_A_ROUND) * settings.batch_size
        sampler = BalancedSampler(kinds, n_samples, settings.seed)
    shown = back if len(back) else trained[:_SHOWN]
    dataset = FrameDataset(frames, augmentation_of(settings))
    stopped = run_training(
        FrameLearner(network, settings),
        DataLoader(
            dataset,
            batch_size=settings.batch_size // schedule.processes,
            sampler=BatchShard(sampler, settings.batch_size),
            num_workers=settings.workers,
            persistent_workers=settings.workers > 0,
        ),
        DataLoader(dataset, settings.batch_size, sampler=shown.tolist()),
        folder,
        settings,
        replace(
            schedule,
            epochs=settings.epochs if settings.steps is None else None,
            steps=settings.steps,
            keep_best=len(back) > 0,
            patience=settings.patience if len(back) else None,
        ),
        report,
    )
    with torch.no_grad():
        for name, parameter in _trained(network):
            parameter.lerp_(before[name], 1 - settings.blend)
    return stopped


def augmentation_of(settings: FinetuneSettings) -> Augmentation:
    """Return what copies look like: by the preset ``paper`` as in the paper."""
    return replace(
        PAPER,
        magnification=settings.magnification,
        jitter_probability=settings.jitter_probability,
    )


def _trained(network: Network) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, p) for name, p in network.named_parameters() if p.requires_grad]


def _kinds(
    positive: NDArray[np.bool_], trained: NDArray[np.intp], n_corrected: int, rehearsal: int
) -> list[NDArray[np.intp]]:
    """Return the kinds of frame that a step has as many of each of."""
    old = np.arange(n_corrected, len(positive))
    kinds = [trained[positive[trained]], trained[~positive[trained]]]
    if rehearsal == 1:
        kinds.append(old)
    elif rehearsal:
        kinds += [old[positive[old]], old[~positive[old]]]
    return kinds


def _compared(
    parent: dict[str, Evaluation], child: dict[str, Evaluation], corrections: CorrectionSet
) -> dict[str, JsonValue]:
    before: dict[str, JsonValue] = {}
    after: dict[str, JsonValue] = {}
    for name, judged in parent.items():
        measured = circumferences(judged.outcomes, child[name].outcomes)
        for side, evaluation, of in zip(
            (before, after), (judged, child[name]), measured, strict=True
        ):
            own = {k: v for k, v in evaluation.as_metrics().items() if k not in ERRORS}
            side[name] = own | of
    metrics: dict[str, JsonValue] = {"parent": before, "child": after}
    judging = [name for name in parent if name != "corrections"]
    metrics["units"] = {name: resampled_units(parent[name].outcomes) for name in judging}
    metrics["intervals"] = {
        name: intervals(parent[name].outcomes, child[name].outcomes) for name in judging
    }
    if "hold_out" in parent:
        held = parent["hold_out"].outcomes, child["hold_out"].outcomes
        metrics["sweeps"] = per_sweep(*held)
        metrics["changed"] = changed(*held, corrections.task)
    if corrections.note is not None:
        metrics["note"] = corrections.note
    return ModelComparison.model_validate(metrics).model_dump(mode="json", exclude_unset=True)


def _card_of_child(
    network: Network,
    training: dict[str, JsonValue],
    data_hash: str,
    taught: Taught,
    metrics: dict[str, JsonValue],
) -> ModelCard:
    """Take over what the parent's card says but for what the training changed."""
    assert network.card is not None
    return network.card.model_copy(
        update={
            "name": f"{network.card.encoder} {network.task}, fine-tuned"
            + (", demo" if network.card.demo else ""),
            "encoder_weights": "own"
            if encoder_is_trained(network)
            else network.card.encoder_weights,
            "parent": network.hash,
            "training_data": data_hash,
            "training": training,
            "taught": taught,
            "metrics": metrics,
            "tool_version": TOOL_VERSION,
        }
    )
