"""The runs of the comparison, a file each, which any number of processes may make in one folder."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.data.planes import planes_hash
from fetal_iqa_training.experiments.planes.encoders import Candidate, features, squares
from fetal_iqa_training.experiments.planes.folds import (
    Fold,
    confusion,
    folds_of,
    macro_f1,
    validation_of,
)
from fetal_iqa_training.experiments.planes.learning import probe, train_in_full
from fetal_iqa_training.experiments.planes.plan import PlanesPlan, Setting
from fetal_iqa_training.experiments.planes.results import FoldResult, PlanesRow, read_rows
from fetal_iqa_training.experiments.tables.locks import claimed
from fetal_iqa_training.progress import Report

BeginFold = Callable[[str, Setting, int], Report]


def run_planes(
    plan: PlanesPlan, candidates: Sequence[Candidate], begin: BeginFold
) -> Iterator[tuple[PlanesRow, ...]]:
    """Make the runs that are missing; yield what there is after each encoder and setting.

    Raises
    ------
    TrainingError
        Where a result in the way was made with other data, weights or options.
    """
    folds = folds_of(plan.images, plan.options.seed)[: plan.folds]
    yield read_rows(plan, candidates)
    for candidate in candidates:
        for setting in plan.settings:
            _run(plan, candidate, setting, folds, begin)
            yield read_rows(plan, candidates)


def _run(
    plan: PlanesPlan,
    candidate: Candidate,
    setting: Setting,
    folds: Sequence[Fold],
    begin: BeginFold,
) -> None:
    missing = [
        number
        for number in range(len(folds))
        if not plan.file_of(candidate.name, setting, number).is_file()
    ]
    if not missing:
        return
    if setting == "full":
        _train_folds(plan, candidate, folds, missing, begin)
        return
    with claimed(
        plan.out, f"planes-{candidate.name}-linear"
    ) as ours:  # the folds share the features
        if ours:
            for number, called in _probing(plan, candidate, folds, missing, begin):
                _write(plan, candidate, setting, folds[number], number, called)


Called = tuple[list[str], list[str]]
"""What the images of the fold and of the other domain were called."""


def _probing(
    plan: PlanesPlan,
    candidate: Candidate,
    folds: Sequence[Fold],
    missing: Sequence[int],
    begin: BeginFold,
) -> Iterator[tuple[int, Called]]:
    report = begin(candidate.name, "linear", missing[0])
    folder = plan.out / "planes" / "features"
    device = plan.options.device
    own, other = (
        features(candidate, part, planes_hash(part), plan.mask_text, device, folder, report)
        if part
        else np.zeros((0, 1), np.float32)
        for part in (plan.images, plan.external)
    )
    for number in missing:
        fold = folds[number]
        planes = [plan.images[image].plane for image in fold.training]
        judged = own[fold.test], other
        in_fold, outside = probe(own[fold.training], planes, judged, plan.options.balanced)
        yield number, (in_fold, outside)


def _train_folds(
    plan: PlanesPlan,
    candidate: Candidate,
    folds: Sequence[Fold],
    missing: Sequence[int],
    begin: BeginFold,
) -> None:
    size = candidate.load().spec.image_size
    report = begin(candidate.name, "full", missing[0])
    own, other = (squares(p, size, plan.mask_text, report) for p in (plan.images, plan.external))
    for number in missing:
        with claimed(plan.out, f"planes-{candidate.name}-full-fold-{number + 1}") as ours:
            if not ours or plan.file_of(candidate.name, "full", number).is_file():
                continue  # another process makes it, or has made it
            fold = folds[number]
            split = validation_of(fold, plan.images, plan.options.seed)
            parts = split.training, split.test
            planes = tuple([plan.images[image].plane for image in part] for part in parts)
            called = train_in_full(
                candidate.load(),
                (own[parts[0]], own[parts[1]]),
                (planes[0], planes[1]),
                (own[fold.test], other),
                plan.options,
                begin(candidate.name, "full", number),
            )
            in_fold, outside = called
            _write(plan, candidate, "full", fold, number, (in_fold, outside))


def _write(
    plan: PlanesPlan,
    candidate: Candidate,
    setting: Setting,
    fold: Fold,
    number: int,
    called: Called,
) -> None:
    truth = [plan.images[image].plane for image in fold.test]
    outside = [image.plane for image in plan.external]
    result = FoldResult(
        made_with=plan.made_with(candidate, setting),
        weights=candidate.weights,
        f1_in=macro_f1(truth, called[0]),
        f1_out=macro_f1(outside, called[1]) if outside else None,
        confusion_in=confusion(truth, called[0]),
        confusion_out=confusion(outside, called[1]),
    )
    path = plan.file_of(candidate.name, setting, number)
    write_atomically(path, result.model_dump_json(indent=2) + "\n")
