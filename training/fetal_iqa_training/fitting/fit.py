"""Fitting a network to an annotated data set: the paper's recipe, and the model that comes out."""

import shutil
from collections.abc import Callable
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_models import (
    FrameClassifier,
    ModelCard,
    choose_device,
    load_card,
    load_model,
    save_model,
    trainable_parameters,
)
from fetal_iqa_models.half_precision import round_to_half
from fetal_iqa_training.data.datasets import origin
from fetal_iqa_training.data.fit_data import choose_data
from fetal_iqa_training.data.frame_set import TruthHash
from fetal_iqa_training.data.labelled_frames import frames_of, noting_contents
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.calibrate_model import calibrate_on, errors_before
from fetal_iqa_training.evaluation.evaluate import Evaluation, judge
from fetal_iqa_training.evaluation.known_frames import Watched
from fetal_iqa_training.fitting.adapter_start import take_adapter
from fetal_iqa_training.fitting.basis import resume_note, weights_sha256
from fetal_iqa_training.fitting.fit_card import card_of_fit, taught_by
from fetal_iqa_training.fitting.fit_training import train
from fetal_iqa_training.fitting.loggers import Logs
from fetal_iqa_training.fitting.network import build_network
from fetal_iqa_training.fitting.processes import rank
from fetal_iqa_training.fitting.published_recipe import untrained_adapter_parameters
from fetal_iqa_training.fitting.stopping import STOPPED
from fetal_iqa_training.fitting.taught_too import TAUGHT_TOO, TaughtToo
from fetal_iqa_training.fitting.trainer import Schedule
from fetal_iqa_training.fitting.work_folder import check_is_free, enter, go_on_with
from fetal_iqa_training.progress import Report, silent
from fetal_iqa_training.settings import FitSettings
from napari_fetal_iqa.storage import paths


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
    stop_file: Path | None = None,
    stop_on_interrupt: bool = False,
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
    stop_file : Path, optional
        It ends early, with the best epoch so far, once this file is there; the card says so.
    stop_on_interrupt : bool
        The first Ctrl-C does the same; the second ends it at once.

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
    schedule = Schedule(
        epochs=settings.epochs,
        devices=devices,
        stop_file=stop_file,
        stop_on_interrupt=stop_on_interrupt,
    )
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
    taught = taught_by(chosen.cases, frames, validation, parent)
    trained = train(network, frames, validation, settings, (own, work), schedule, report, logs)
    validated = trained.validation
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
    if trained.stopped is not None:
        training[STOPPED] = trained.stopped.as_json()
    if parent is not None and parent.card is not None:
        training["started_from"] = parent.card.training
    temperature = 1.0
    if isinstance(network, FrameClassifier):
        calibration = calibrate_on(network, validation, settings.device, report)
        temperature = calibration.temperature
        validated |= calibration.errors
        training["calibration"] = calibration.note
    card = card_of_fit(network, weights, frames.data_hash, training, demo, parent, temperature)
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
