"""Fitting a network to an annotated data set: the paper's recipe, and the model that comes out."""

import shutil
from collections.abc import Callable
from pathlib import Path

from fetal_iqa_models import (
    ModelCard,
    choose_device,
    load_model,
)
from fetal_iqa_training.data.fit_data import choose_data
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.evaluate import Evaluation
from fetal_iqa_training.fitting.adapter_start import take_adapter
from fetal_iqa_training.fitting.basis import resume_note
from fetal_iqa_training.fitting.fit_card import taught_by
from fetal_iqa_training.fitting.fit_training import train
from fetal_iqa_training.fitting.fitted_model import Fitted, write_fitted
from fetal_iqa_training.fitting.loggers import Logs
from fetal_iqa_training.fitting.network import build_network
from fetal_iqa_training.fitting.processes import rank
from fetal_iqa_training.fitting.taught_too import TaughtToo
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
    of = Fitted(
        data,
        chosen,
        frames,
        validation,
        taught,
        taught_too,
        validation_taught,
        trained.stopped,
        parent,
        weights,
        demo,
        half_precision,
        command,
    )
    card = write_fitted(network, out, settings, validated, of, report, on_judged)
    del of, frames, validation  # their files are open, and go with the work folder
    shutil.rmtree(work, ignore_errors=True)
    return card
