"""Fine-tuning a model on corrections: a few frames, an adapter, a child of the model."""

import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import JsonValue
from torch.utils.data import DataLoader, Sampler

from fetal_iqa_models import ModelCard, load_card, load_model, save_model, set_strategy
from fetal_iqa_training.corrected_frames import (
    CorrectedSweep,
    corrected_frames,
    count_usable,
    read_corrections,
)
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation import judge
from fetal_iqa_training.finding_sweeps import SweepFinder
from fetal_iqa_training.fitting import check_is_free
from fetal_iqa_training.frame_set import Draw, FrameDataset, FrameSet, build_frame_set
from fetal_iqa_training.hold_out import split_hold_out
from fetal_iqa_training.labelled_frames import LabelledFrames
from fetal_iqa_training.learner import FrameLearner, Network
from fetal_iqa_training.loop import run_training
from fetal_iqa_training.progress import Report, silent
from fetal_iqa_training.sampling import BalancedDraws, EveryFrame
from fetal_iqa_training.settings import FinetuneSettings, Task
from napari_fetal_iqa import places


def finetune(
    stores: Sequence[Path],
    base: Path | str,
    out: Path,
    settings: FinetuneSettings,
    *,
    sweep_folders: Sequence[Path] = (),
    reviewer: str | None = None,
    encoder_weights: Path | None = None,
    command: str = "",
    report: Report = silent,
) -> ModelCard:
    """Teach a model what experts corrected and write the child's model folder.

    A base that carries an adapter goes on with it, another gets a new one; the head trains
    too. An encoder that takes no LoRA is trained in full. The last weights are kept: the
    hold-out judges parent and child and chooses nothing.

    Parameters
    ----------
    stores : sequence of Path
        Corrections stores.
    base : path or str
        Model folder, or the name of a shipped model.
    out : Path
        Model folder to make; appears whole at the end or not at all.
    settings : FinetuneSettings
    sweep_folders : sequence of Path
        Where to look for sweeps that were moved.
    reviewer : str, optional
        Learn from this reviewer alone.
    encoder_weights : Path, optional
        Where the base's folder does not hold its encoder; else those fetched before.
    command : str
        Noted in the card.
    report : callable, optional

    Returns
    -------
    ModelCard
        Of the child; ``metrics`` has ``parent`` and ``child`` on the ``corrections`` that were
        learnt from and on the ``hold_out``, or why there is none.

    Raises
    ------
    TrainingError
        Where there is nothing to learn from, a sweep is not found, or ``out`` exists.
    ModelError
        Where the base is unusable or of another task.
    StoreError
        Where a file is no corrections store.
    """
    check_is_free(out)
    network = load_model(base, encoder_weights, places.weights())
    if network.task != settings.task:
        raise TrainingError(
            f"{base}: is a {network.task} model and the task is {settings.task}; "
            "choose a base of the task"
        )
    sweeps = read_corrections(stores, reviewer)
    _check_enough(sweeps, settings.task)
    split = split_hold_out(sweeps, settings.task)
    finder = SweepFinder(sweep_folders)

    def frames_of(side: Sequence[CorrectedSweep]) -> Iterator[LabelledFrames]:
        for sweep in side:
            yield from corrected_frames(sweep, finder.find(sweep.record), settings.task)

    def figures() -> dict[str, JsonValue]:
        sides = {"corrections": split.training, "hold_out": split.hold_out}
        return {
            name: judge(
                network, frames_of(side), device=settings.device, report=report
            ).as_metrics()
            for name, side in sides.items()
            if side
        }

    metrics: dict[str, JsonValue] = {"parent": figures()}
    with tempfile.TemporaryDirectory(prefix="fetal-iqa-") as folder:
        size = network.encoder.spec.image_size
        frames = build_frame_set(frames_of(split.training), size, Path(folder))
        _learn(network, frames, settings, Path(folder), report)
        training: dict[str, JsonValue] = {
            "command": command,
            "settings": settings.model_dump(mode="json"),
            "sweeps": len(split.training),
            "frames": len(frames),
            "positives": int(frames.positive.sum()),
        }
        data_hash = frames.data_hash
        del frames  # its files are open, and go with the folder
    metrics["child"] = figures()
    if not split.hold_out:
        metrics["hold_out"] = "no hold-out: too few frames"
    card = _card_of_child(network, training, data_hash, metrics)
    save_model(network, out, card)
    return load_card(out)


def _check_enough(sweeps: Sequence[CorrectedSweep], task: Task) -> None:
    positives, negatives = count_usable(sweeps, task)
    if not positives + negatives:
        raise TrainingError(
            "no corrections to learn from: label or outline some frames first"
            if task == "cls"
            else "no masks to learn from: outline the abdomen of some frames first"
        )
    if task == "seg" and not positives:
        raise TrainingError(
            f"{negatives} frames without an abdomen and none with one: outline the abdomen of "
            "some frames first"
        )


def _learn(
    network: Network,
    frames: FrameSet,
    settings: FinetuneSettings,
    folder: Path,
    report: Report,
) -> None:
    takes_lora = network.lora is not None or network.encoder.spec.lora_targets is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        set_strategy(network, "lora" if takes_lora else "full", settings.lora)
    if settings.steps is None:
        sampler: Sampler[Draw] = EveryFrame(len(frames), settings.copies, settings.seed)
    else:
        draws = settings.steps * settings.batch_size
        sampler = BalancedDraws(frames.positive, draws, settings.seed)
    run_training(
        FrameLearner(network, settings),
        DataLoader(
            FrameDataset(frames),
            batch_size=settings.batch_size,
            sampler=sampler,
            num_workers=settings.workers,
            persistent_workers=settings.workers > 0,
        ),
        None,
        folder,
        settings,
        epochs=settings.epochs if settings.steps is None else 1,
        report=report,
    )


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
            "tool_version": version("napari-fetal-iqa"),
        }
    )
