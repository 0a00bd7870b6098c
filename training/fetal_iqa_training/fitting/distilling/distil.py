"""Distilling: a small network learns what a large one says, and becomes a model of its own."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue
from torch.utils.data import DataLoader

from fetal_iqa_models import (
    ModelCard,
    choose_device,
    load_card,
    load_model,
    model_hash,
    model_id,
    save_model,
    trainable_parameters,
)
from fetal_iqa_models.cards import Taught
from fetal_iqa_models.half_precision import round_to_half
from fetal_iqa_models.networks import Network
from fetal_iqa_models.specs import OPEN_LICENCES
from fetal_iqa_models.taught import Thing
from fetal_iqa_training.data.case_identity import identity_of_case
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, LabelledFrames, frames_of
from fetal_iqa_training.data.phantoms import rehearsal_phantoms
from fetal_iqa_training.data.shared_frames import frame_contents
from fetal_iqa_training.evaluation.evaluate import Evaluation, judge
from fetal_iqa_training.evaluation.known_frames import Watched
from fetal_iqa_training.fitting.basis import weights_sha256
from fetal_iqa_training.fitting.distilling.answers import Answers, Teacher, keep_answers
from fetal_iqa_training.fitting.distilling.sides import Known, Sides, choose_sides
from fetal_iqa_training.fitting.distilling.student import AnswerDataset, StudentLearner
from fetal_iqa_training.fitting.fit_card import card_of_fit
from fetal_iqa_training.fitting.loggers import Logs
from fetal_iqa_training.fitting.network import build_network
from fetal_iqa_training.fitting.samplers import BalancedSampler
from fetal_iqa_training.fitting.stopping import STOPPED, Stopped, leave_interrupts
from fetal_iqa_training.fitting.trainer import Schedule, run_training
from fetal_iqa_training.fitting.work_folder import check_is_free, enter, go_on_with
from fetal_iqa_training.progress import Progress, Report, silent
from fetal_iqa_training.settings import DistilSettings
from napari_fetal_iqa.storage import paths

TEACHER = "teacher"
"""In a card's note of its training: id, hash and name of the model that taught it."""


class _Rehearsed(NamedTuple):
    """Annotated cases that are learnt beside the teacher's answers, and what cards know them by."""

    cases: tuple[AnnotatedCase, ...] = ()
    things: tuple[Thing, ...] = ()


def prepare(teacher: Path | str, sweeps: Sequence[Known], settings: DistilSettings) -> Sides:
    """Say which sweeps teach a student of this teacher, which choose its epoch, and which judge.

    Raises
    ------
    TrainingError
        Where too few are left to teach.
    """
    taught = load_card(teacher).lineage(model_hash(teacher))
    seed = settings.seed if settings.split_seed is None else settings.split_seed
    return choose_sides(sweeps, taught, settings.validation_share, seed)


def distil(
    teacher: Path | str,
    sides: Sides,
    out: Path,
    settings: DistilSettings,
    *,
    weights: Path | None = None,
    rehearse: Path | None = None,
    half_precision: bool = False,
    command: str = "",
    report: Report = silent,
    logs: Logs | None = None,
    stop_file: Path | None = None,
    stop_on_interrupt: bool = False,
) -> ModelCard:
    """Teach a student what a model says of sweeps, and write its model folder.

    Beside ``out`` a hidden work folder keeps what the teacher said and the checkpoints; the same
    call goes on from there after it was cut off. The folder ``out`` appears whole at the end.

    Parameters
    ----------
    teacher : path or str
        Model folder of the settings' task, or the name of a shipped one.
    sides : Sides
        As :func:`prepare` chose them for this teacher.
    out : Path
        Model folder to make.
    settings : DistilSettings
        ``encoder`` is the student's.
    weights : Path, optional
        Pretrained weights of the student's encoder; without it the encoder starts at random.
    rehearse : Path, optional
        Annotated data whose frames are learnt as annotated; of demo models phantoms by default.
    half_precision : bool
        Store the weights as float16.
    command : str
        Noted in the card.
    report : callable, optional
    logs : Logs, optional
    stop_file : Path, optional
        Once this file is there it ends: while the teacher speaks without a model, and while the
        student learns with the best epoch so far.
    stop_on_interrupt : bool
        The first Ctrl-C does the same while the student learns.

    Returns
    -------
    ModelCard
        ``training`` names the ``teacher``; ``metrics`` has the ``agreement`` with it on what was
        held out, the ``test`` against annotations where there are such, and the teacher's own.

    Raises
    ------
    TrainingError
        Where ``out`` exists, or it was stopped before there was anything to keep.
    ModelError, SweepError
        Where the teacher, the student's encoder or the sweeps cannot be used.
    """
    check_is_free(out)
    choose_device(settings.device)
    large = load_model(teacher, weights_folder=paths.weights())
    assert large.card is not None
    assert large.hash is not None
    its_card, its_hash = large.card, large.hash
    student = build_network(settings, weights)
    size = student.encoder.spec.image_size
    work = out.parent / f".{out.name}.training"
    enter(work, f"{its_hash}\n{weights_sha256(weights)}\n{settings.model_dump_json()}\n")

    def go_on() -> bool:
        return stop_file is None or not stop_file.exists()

    asked = Teacher(large, size, student.encoder.embedding_dim, settings.device, go_on)
    rehearsed = _rehearsed(rehearse, its_card, sides, report)
    total = len(sides.teach) + len(sides.choose)

    def told(side: Sequence[Known], before: int) -> Iterator[Answers]:
        for done, one in enumerate(side, start=before + 1):
            for source in _every(one.sweep.read(), settings.every):
                yield asked.answers(source, work / "answers")
            report(Progress("encoding", done, total))

    def by_truth() -> Iterator[Answers]:
        for source in frames_of(rehearsed.cases):
            yield asked.answers(source, work / "answers", truth=True)

    choosing = keep_answers(told(sides.choose, 0), work / "choosing", size, asked.dim)
    lessons = keep_answers(
        chain(told(sides.teach, len(sides.choose)), by_truth()), work / "lessons", size, asked.dim
    )
    n_frames = sum(_count(one, settings.every) for one in sides.teach)
    data = f"{lessons.sha256()} {choosing.sha256()}"
    go_on_with(work, data)
    stopped, validated = _train(
        student,
        (lessons, n_frames, choosing),
        settings,
        work,
        Schedule(epochs=settings.epochs, stop_file=stop_file, stop_on_interrupt=stop_on_interrupt),
        report,
        logs,
    )
    if half_precision:
        round_to_half(student)
    taught = its_card.lineage(its_hash).having(
        [*_things(sides.teach), *rehearsed.things], _things(sides.choose), _things(sides.judge)
    )
    taught = taught.model_copy(update={"tested_by_content": True})
    training: dict[str, JsonValue] = {
        TEACHER: {
            "id": model_id(its_card.task, its_hash),
            "hash": its_hash,
            "name": its_card.name,
        },
        "settings": settings.model_dump(mode="json"),
        "frames": n_frames,
        "positives": int((lessons.quality[:n_frames] > 0.5).sum()),
        "rehearsed": len(lessons) - n_frames,
        "set_aside": len(sides.set_aside),
        "embeddings_learnt": asked.dim > 0,
        "trainable_parameters": trainable_parameters(student),
        "command": command,
        "weights": weights_sha256(weights),
    }
    if stopped is not None:
        training[STOPPED] = stopped.as_json()
    card = _card(student, weights, its_card, lessons.sha256(), training, taught)
    del lessons, choosing  # their files are open, and go with the work folder
    student.card = card
    metrics: dict[str, JsonValue] = {"validation": validated}
    metrics |= _judged(student, large, asked, sides, settings, report)
    save_model(
        student, out, card.model_copy(update={"metrics": metrics}), half_precision=half_precision
    )
    shutil.rmtree(work, ignore_errors=True)
    return load_card(out)


def _train(
    student: Network,
    frames: tuple[Answers, int, Answers],
    settings: DistilSettings,
    work: Path,
    schedule: Schedule,
    report: Report,
    logs: Logs | None,
) -> tuple[Stopped | None, dict[str, JsonValue]]:
    lessons, n_taught, choosing = frames
    positive = lessons.quality > 0.5
    told, rehearsed = np.arange(n_taught), np.arange(n_taught, len(lessons))
    kinds = [of[positive[of] == kind] for of in (told, rehearsed) for kind in (True, False)]
    per_epoch = settings.balanced or len(lessons) * (1 + settings.copies)
    learner = StudentLearner(student, settings)
    stopped = run_training(
        learner,
        DataLoader(
            AnswerDataset(lessons),
            settings.batch_size,
            sampler=BalancedSampler(kinds, per_epoch, settings.seed),
            num_workers=settings.workers,
            persistent_workers=settings.workers > 0,
            worker_init_fn=leave_interrupts,
        ),
        DataLoader(AnswerDataset(choosing), settings.batch_size),
        work,
        settings,
        schedule,
        report,
        logs,
    )
    return stopped, learner.best_validation()


def _judged(
    student: Network,
    teacher: Network,
    asked: Teacher,
    sides: Sides,
    settings: DistilSettings,
    report: Report,
) -> dict[str, JsonValue]:
    """Compare both on what neither learnt from: with each other, and with annotations."""
    if not sides.judge:
        return {"note": "nothing was held out of these sweeps, so nothing judged the student"}
    assert student.card is not None
    watched = Watched(student.card.taught)

    def sources() -> Iterator[LabelledFrames]:
        for one in sides.judge:
            yield from _every(one.sweep.read(), settings.every)

    def annotated() -> Iterator[LabelledFrames]:
        for one in sides.judge:
            if one.sweep.truth is not None:
                yield from one.sweep.truth()

    def found(judged: Evaluation) -> dict[str, JsonValue]:
        return judged.as_metrics()

    device = settings.device
    labelled = asked.labelled(watched.passing(sources()))
    metrics: dict[str, JsonValue] = {
        "agreement": found(judge(student, labelled, device=device, report=report))
    }
    judged_on = watched.judged_on("sweeps that were held out")
    if not judged_on.recorded:
        metrics["judged_on"] = judged_on.as_json()
    if any(one.sweep.truth is not None for one in sides.judge):
        metrics["test"] = found(judge(student, annotated(), device=device, report=report))
        metrics[TEACHER] = {
            "test": found(judge(teacher, annotated(), device=device, report=report))
        }
    return metrics


def _rehearsed(given: Path | None, card: ModelCard, sides: Sides, report: Report) -> _Rehearsed:
    """Read what is rehearsed, without what judges or chooses, under whatever name."""
    folder = rehearsal_phantoms(report) if given is None and card.demo else given
    if folder is None:
        return _Rehearsed()
    apart = (*sides.judge, *sides.choose, *sides.set_aside)
    known_things = {thing for one in apart for thing in one.things}
    known_frames = {content for one in apart for content in one.frames}
    cases: list[AnnotatedCase] = []
    things: list[Thing] = []
    for case in list_annotated(folder):
        named = list(identity_of_case(case))
        contents = {content for one in case.read() for content in frame_contents(one.frames)}
        if known_things.isdisjoint(named) and known_frames.isdisjoint(contents):
            cases.append(case)
            things += named
    return _Rehearsed(tuple(cases), tuple(things))


def _card(
    student: Network,
    weights: Path | None,
    teacher: ModelCard,
    data_hash: str,
    training: dict[str, JsonValue],
    taught: Taught,
) -> ModelCard:
    """Make the student's card: what its teacher's thresholds, licence and warnings say, it says."""
    own = card_of_fit(student, weights, data_hash, training, teacher.demo, None, 1.0)
    licences = [one for one in (teacher.licence, own.licence) if one not in OPEN_LICENCES]
    return own.model_copy(
        update={
            "name": f"{own.encoder} {own.task}, student of {teacher.name}"[:500],
            "licence": " and ".join(dict.fromkeys(licences)) or own.licence,
            "quality_threshold": teacher.quality_threshold,
            "mask_threshold": teacher.mask_threshold,
            "area_threshold": teacher.area_threshold,
            "labels": teacher.labels,
            "taught": taught,
        }
    )


def _things(side: Sequence[Known]) -> list[Thing]:
    return [thing for one in side for thing in one.things]


def _count(one: Known, step: int) -> int:
    return sum(len(range(0, frames, step)) for frames in one.lengths)


def _every(sources: Iterator[LabelledFrames], step: int) -> Iterator[LabelledFrames]:
    for source in sources:
        rows = np.arange(0, len(source.frames), step)
        yield replace(
            source,
            frames=source.frames[rows],
            masks=source.masks[rows],
            positive=source.positive[rows],
            numbers=rows if source.numbers is None else source.numbers[rows],
        )
