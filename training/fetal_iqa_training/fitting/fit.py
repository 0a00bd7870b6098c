"""Fitting a network to an annotated data set: the paper's recipe, and the model that comes out."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import JsonValue
from torch.utils.data import DataLoader, Dataset

from fetal_iqa_models import (
    FrameClassifier,
    FrameSegmenter,
    ModelCard,
    choose_device,
    load_card,
    load_encoder,
    load_model,
    save_model,
    set_strategy,
    trainable_parameters,
    weights_record,
)
from fetal_iqa_models.cards import Taught
from fetal_iqa_models.half_precision import round_to_half
from fetal_iqa_models.networks import Network
from fetal_iqa_models.taught import Thing
from fetal_iqa_training.data.case_identity import things_of_case
from fetal_iqa_training.data.datasets import origin
from fetal_iqa_training.data.fit_data import choose_data
from fetal_iqa_training.data.fixed_copies import CopiesDataset
from fetal_iqa_training.data.frame_set import FrameDataset, FrameSet, TruthHash
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, frames_of, noting_contents
from fetal_iqa_training.data.split import CaseSplit
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.calibrate_model import calibrate_on, errors_before
from fetal_iqa_training.evaluation.evaluate import Evaluation, judge
from fetal_iqa_training.evaluation.known_frames import Watched
from fetal_iqa_training.fitting.adapter_start import take_adapter
from fetal_iqa_training.fitting.basis import resume_note, weights_sha256
from fetal_iqa_training.fitting.frozen_encoder import (
    HeadLearner,
    encode,
    encoder_is_trained,
    has_frozen_encoder,
)
from fetal_iqa_training.fitting.loggers import Logs
from fetal_iqa_training.fitting.losses import positive_weight
from fetal_iqa_training.fitting.module import FrameLearner
from fetal_iqa_training.fitting.processes import rank
from fetal_iqa_training.fitting.published_recipe import (
    hold_back_as_published,
    tap_as_published,
    untrained_adapter_parameters,
)
from fetal_iqa_training.fitting.samplers import BalancedSampler, BatchShard, EveryFrame
from fetal_iqa_training.fitting.taught_too import TAUGHT_TOO, TaughtToo
from fetal_iqa_training.fitting.trainer import Schedule, run_training
from fetal_iqa_training.fitting.work_folder import check_is_free, enter, go_on_with
from fetal_iqa_training.progress import Report, silent
from fetal_iqa_training.settings import FitSettings
from fetal_iqa_training.transforms.augmentation import PAPER
from fetal_iqa_training.transforms.cheap_probe import CheapProbe
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.version import TOOL_VERSION

OWN_LICENCE = "BSD-3-Clause"
"""Of weights that were trained here from the start."""


def fit(
    data: Path,
    out: Path,
    settings: FitSettings,
    *,
    weights: Path | None = None,
    start_from: Path | None = None,
    adapter_from: Path | None = None,
    split: Path | None = None,
    prepared: Path | None = None,
    demo: bool = False,
    half_precision: bool = False,
    command: str = "",
    report: Report = silent,
    logs: Logs | None = None,
    on_judged: Callable[[Evaluation], None] | None = None,
    devices: int = 1,
) -> ModelCard | None:
    """Fit a classifier or segmenter to annotated sweeps and write its model folder.

    Beside ``out`` a hidden work folder holds frames and checkpoints while it runs; the same
    call goes on from there after it was cut off. The folder ``out`` appears whole at the end.
    A classifier gets the temperature that fits the validation frames best, so that its quality is
    a probability.

    Parameters
    ----------
    data : Path
        Folder in the ACOUSLIC-AI or the HC18 layout.
    out : Path
        Model folder to make.
    settings : FitSettings
    weights : Path, optional
        Pretrained weights of the encoder; without it the encoder starts at random.
    start_from : Path, optional
        Model folder to start from, of either task; it becomes the parent.
    adapter_from : Path, optional
        Model folder, of either task, whose adapter the LoRA starts from; it becomes the parent.
    split : Path, optional
        List of who is in which part; without it the seed decides.
    prepared : Path, optional
        Training and validation frames that were built ahead, with their own list.
    demo : bool
        Mark the model as a demo model: not for clinical use.
    half_precision : bool
        Store the weights as float16; the metrics are those of the stored weights.
    command : str
        Noted in the card, so that the model can be made again.
    report : callable, optional
        Hears how far it is.
    logs : Logs, optional
        Where the losses are noted.
    on_judged : callable, optional
        Gets what is found on the test part, frame by frame, before the model is written.
    devices : int
        Processes that train it together; under torchrun its own number counts.

    Returns
    -------
    ModelCard or None
        None in all processes but the first, which judges and writes the model.

    Raises
    ------
    TrainingError
        Where ``out`` exists, there is too little data, or the processes cannot share a batch.
    ModelError, SweepError
        Where the encoder, its weights or the data cannot be used.
    """
    check_is_free(out)
    choose_device(settings.device)  # now, and not after the data were read
    schedule = Schedule(epochs=settings.epochs, devices=devices)
    schedule.check_shares(settings.batch_size)
    chosen = choose_data(data, settings, split, prepared)
    parent = None
    if start_from is not None:
        parent = load_model(start_from, weights_folder=paths.weights())
    network = build_network(settings, weights, parent)
    if adapter_from is not None:
        parent = take_adapter(network, adapter_from, weights)
    work = out.parent / f".{out.name}.training"
    # each process has frames of its own: the first one's may be written while another begins
    own = work.with_name(f"{work.name}-{rank()}") if rank() else work
    enter(own, resume_note(data, settings, weights, start_from or adapter_from, chosen.split))
    frames, validation = chosen.frame_sets(own, report)
    go_on_with(own, f"{frames.data_hash} {validation.data_hash}")
    taught_too = TaughtToo(frames, network.resize)
    validation_taught = taught_too.among(validation.frames)
    if settings.task == "seg" and not frames.positive.any():
        raise TrainingError("no training frame shows an abdomen: add annotated cases")
    validated = _train(network, frames, validation, settings, (own, work), schedule, report, logs)
    if rank():
        del frames, validation
        shutil.rmtree(own, ignore_errors=True)
        return None
    if half_precision:
        round_to_half(network)
    training: dict[str, JsonValue] = {
        "settings": settings.model_dump(mode="json"),
        "frames": len(frames),
        "positives": int(frames.positive.sum()),
        "trainable_parameters": trainable_parameters(network),
        "untrained_adapter_parameters": untrained_adapter_parameters(network),
        "command": command,
        "data": origin(data),
        "split": chosen.split,
        "validation_data": validation.data_hash,
        "copies_seed": chosen.copies_seed,
        TAUGHT_TOO: {"validation": validation_taught},
        "weights": weights_sha256(weights),
    }
    if parent is not None and parent.card is not None:
        training["started_from"] = parent.card.training
    temperature = 1.0
    if isinstance(network, FrameClassifier):
        calibration = calibrate_on(network, validation, settings.device, report)
        temperature = calibration.temperature
        validated |= calibration.errors
        training["calibration"] = calibration.note
    taught = _taught(chosen.cases, frames, validation, parent)
    card = _card(network, weights, frames.data_hash, training, demo, parent, temperature)
    card = card.model_copy(update={"taught": taught})
    del frames, validation  # their files are open, and go with the work folder
    metrics: dict[str, JsonValue] = {"validation": validated}
    network.card = card
    if chosen.cases.test:
        contents: list[str] = []
        watched, truth = Watched(taught), TruthHash()
        passing = watched.passing(frames_of(chosen.cases.test))
        tested = noting_contents(taught_too.passing(truth.passing(passing)), contents)
        judged = judge(network, tested, device=settings.device, report=report)
        taught = taught.having(tested=[("frames", content) for content in contents])
        taught = taught.model_copy(update={"tested_by_content": True})
        taught_both = {"validation": validation_taught, "test": taught_too.passed}
        noted = {**card.training, "test_data": truth.hexdigest(), TAUGHT_TOO: taught_both}
        card = card.model_copy(update={"taught": taught, "training": noted})
        if on_judged is not None:
            on_judged(judged)
        on_test: dict[str, JsonValue] = judged.as_metrics() | errors_before(judged)
        judged_on = watched.judged_on("the test part")
        # of an ancestor, or by another name; or nobody knows
        if judged_on.learnt or judged_on.chose or not judged_on.recorded:
            on_test["judged_on"] = judged_on.as_json()
        metrics["test"] = on_test
    card = card.model_copy(update={"metrics": metrics})
    save_model(network, out, card, half_precision=half_precision)
    shutil.rmtree(work, ignore_errors=True)
    return load_card(out)


def build_network(
    settings: FitSettings, weights: Path | None, parent: Network | None = None
) -> Network:
    """Build a network whose first weights depend on the seed alone, ready to be trained.

    Parameters
    ----------
    settings : FitSettings
    weights : Path, optional
        Pretrained weights of the encoder.
    parent : FrameClassifier or FrameSegmenter, optional
        Model to start from.

    Raises
    ------
    ModelError
        Where there is no such encoder, or the weights or the strategy do not fit it.
    TrainingError
        Where the parent has another encoder, carries an adapter, or has a head of another size.
    """
    published = settings.recipe == "published"
    strategy = settings.strategy_with(weights is not None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        encoder = load_encoder(settings.encoder, weights)
        if published:
            tap_as_published(encoder)
        network: Network
        if settings.task == "cls":
            network = FrameClassifier(encoder)
        else:
            network = FrameSegmenter(encoder, decoder="published" if published else "ours")
        network.resize = "published" if published else "antialiased"
        if parent is not None:
            take_weights(network, parent)
        set_strategy(network, strategy, settings.lora)
        if published:
            hold_back_as_published(network)
    return network


def take_weights(network: Network, other: Network) -> None:
    """Start from another model, in place: its encoder and, of the same task, its head.

    Raises
    ------
    TrainingError
        Where its encoder is another one, or carries an adapter.
    """
    if other.encoder.spec.name != network.encoder.spec.name or other.lora is not None:
        raise TrainingError(
            f"the model to start from has the encoder {other.encoder.spec.name}"
            f"{' with LoRA' if other.lora else ''}, not a plain {network.encoder.spec.name}"
        )
    network.encoder.load_state_dict(other.encoder.state_dict())
    if other.task == network.task:
        try:
            network.head.load_state_dict(other.head.state_dict())
        except RuntimeError:
            raise TrainingError("the model to start from has a head of another size") from None


def _train(
    network: Network,
    frames: FrameSet,
    validation: FrameSet,
    settings: FitSettings,
    folders: tuple[Path, Path],
    schedule: Schedule,
    report: Report,
    logs: Logs | None,
) -> dict[str, JsonValue]:
    """Train in place; return the best epoch's metrics.

    ``folders`` are this process's own and that of the checkpoints, which all share.
    """
    own, work = folders
    training: Dataset[Any]
    looked_at: Dataset[Any]
    # copies that each epoch makes anew are seen anew, whatever is trained: so that all strategies
    # of a table learn from the same frames
    if has_frozen_encoder(network) and not (settings.copies and settings.fresh_copies):
        learner: FrameLearner = HeadLearner(network, settings)
        training, looked_at = (
            encode(learner, part, 0, settings, own / f"{name}-features", report)
            for name, part in (("training", frames), ("validation", validation))
        )
        sampler: EveryFrame | BalancedSampler = EveryFrame(len(training), 0, settings.seed)
    elif frames.copies:
        learner = FrameLearner(network, settings)
        training, looked_at = CopiesDataset(frames), FrameDataset(validation)
        sampler = EveryFrame(len(frames) * (1 + len(frames.copies)), 0, settings.seed)
    else:
        learner = FrameLearner(network, settings)
        change = CheapProbe() if settings.augmentation == "cheap-probe" else PAPER
        training, looked_at = FrameDataset(frames, change), FrameDataset(validation)
        if settings.balanced:
            kinds = np.flatnonzero(frames.positive), np.flatnonzero(~frames.positive)
            sampler = BalancedSampler(kinds, settings.balanced, settings.seed)
        else:
            sampler = EveryFrame(len(frames), settings.copies, settings.seed)
    published = settings.recipe == "published"
    if published and len(sampler) < settings.batch_size:
        raise TrainingError(
            f"{len(sampler)} frames and copies, and the published recipe drops a batch of less "
            f"than {settings.batch_size}: add cases, or choose a smaller --batch-size"
        )
    learner.positive_weight = positive_weight(settings.class_weights, frames.positive)
    run_training(
        learner,
        DataLoader(
            training,
            batch_size=settings.batch_size // schedule.processes,
            sampler=BatchShard(sampler, settings.batch_size, drop_last=published),
            num_workers=settings.workers,
            persistent_workers=settings.workers > 0,
        ),
        DataLoader(looked_at, batch_size=settings.batch_size),
        work,
        settings,
        schedule,
        report,
        logs,
    )
    return learner.best_validation()


def _taught(
    cases: CaseSplit, frames: FrameSet, validation: FrameSet, parent: Network | None
) -> Taught:
    """Record who is on which side: cases by name and subject, and their frames by content."""
    if parent is not None and parent.card is not None and parent.hash is not None:
        before = parent.card.lineage(parent.hash)
    else:
        before = Taught.salted(frames.data_hash)

    def things(of: Sequence[AnnotatedCase], contents: Sequence[str] = ()) -> Iterator[Thing]:
        for case in of:
            yield from things_of_case(case.name, case.subject_id)
        yield from (("frames", content) for content in contents)

    return before.having(
        things(cases.training, frames.contents),
        things(cases.validation, validation.contents),
        things(cases.test),
    )


def _licence(of_weights: str | None, parent: Network | None) -> str:
    """Return the licence of what a model was made of, or ours where it was made of nothing."""
    inherited = None if parent is None or parent.card is None else parent.card.licence
    return of_weights or inherited or OWN_LICENCE


def _card(
    network: Network,
    weights: Path | None,
    data_hash: str,
    training: dict[str, JsonValue],
    demo: bool,
    parent: Network | None,
    temperature: float,
) -> ModelCard:
    spec = network.encoder.spec
    return ModelCard(
        name=f"{spec.name} {network.task}" + (", demo" if demo else ""),
        task=network.task,
        encoder=spec.name,
        encoder_weights="own"
        if weights is None or encoder_is_trained(network)
        else weights_record(weights, paths.weights()),
        image_size=spec.image_size,
        temperature=temperature,
        licence=_licence(spec.licence if weights is not None else None, parent),
        parent=None if parent is None else parent.hash,
        training_data=data_hash,
        training=training,
        demo=demo,
        tool_version=TOOL_VERSION,
    )
