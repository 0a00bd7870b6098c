"""The runs of the comparison, a file each, which any number of processes may make in one folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_iqa_models import list_encoders
from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.data.planes import PlaneImage, image_content, planes_hash
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.bootstrap import Spread, spread
from fetal_iqa_training.experiments.planes.encoders import Candidate, features, squares
from fetal_iqa_training.experiments.planes.folds import (
    FOLDS,
    Fold,
    confusion,
    folds_of,
    macro_f1,
    validation_of,
)
from fetal_iqa_training.experiments.planes.learning import TrainingOptions, probe, train_in_full
from fetal_iqa_training.experiments.tables.locks import claimed
from fetal_iqa_training.progress import Report

Setting = Literal["linear", "full"]
SETTINGS: tuple[Setting, ...] = get_args(Setting)


class FoldResult(BaseModel):
    """What one fold of one encoder gave; a file.

    Parameters
    ----------
    made_with : dict
        What decides the result: weights, data, seed, options.
    weights : str
        What the encoder's weights are, for people.
    f1_in : float
        Macro F1 on the held-out fold.
    f1_out : float, optional
        On the images of the other domain, over the planes that it has.
    confusion_in, confusion_out : dict
        How often images of a plane were called each.
    """

    model_config = ConfigDict(frozen=True)

    made_with: dict[str, str | int | float | bool]
    weights: str = "pretrained"
    f1_in: float
    f1_out: float | None = None
    confusion_in: dict[str, dict[str, int]]
    confusion_out: dict[str, dict[str, int]]


@dataclass(frozen=True)
class PlanesPlan:
    """What all runs have in common.

    Parameters
    ----------
    images, external : tuple of PlaneImage
        Of the folds, and of the other domain; of one subject's there are none in both.
    out : Path
    options : TrainingOptions
    settings : tuple of str
    folds : int
        To run, of five.
    mask_text : bool
    """

    images: tuple[PlaneImage, ...]
    external: tuple[PlaneImage, ...]
    out: Path
    options: TrainingOptions
    settings: tuple[Setting, ...] = SETTINGS
    folds: int = FOLDS
    mask_text: bool = True

    def file_of(self, encoder: str, setting: Setting, fold: int) -> Path:
        """Where the result of a run is."""
        return self.out / "planes" / encoder / f"{setting}-fold-{fold + 1}.json"

    def made_with(
        self, candidate: Candidate, setting: Setting
    ) -> dict[str, str | int | float | bool]:
        """Return what decides a result."""
        own: dict[str, str | int | float | bool] = {
            "encoder": candidate.identity,
            "images": planes_hash(self.images),
            "external": planes_hash(self.external),
            "seed": self.options.seed,
            "balanced": self.options.balanced,
            "mask_text": self.mask_text,
        }
        if setting == "full":
            own |= {
                "epochs": self.options.epochs,
                "batch_size": self.options.batch_size,
                "learning_rate": self.options.learning_rate,
            }
        return own


def external_of_machine(
    images: Sequence[PlaneImage], machine: str
) -> tuple[tuple[PlaneImage, ...], tuple[PlaneImage, ...]]:
    """Make the images of one machine the other domain; nobody who is in both is in that.

    Raises
    ------
    TrainingError
        Where there is no such machine, or no other.
    """
    own = tuple(image for image in images if image.machine != machine)
    known = {image.subject for image in own}
    seen = set(map(image_content, own))
    other = tuple(
        image
        for image in images
        if image.machine == machine
        and image.subject not in known
        and image_content(image) not in seen
    )
    if not own or not other:
        machines = ", ".join(sorted({image.machine for image in images}))
        raise TrainingError(f"no images of {machine!r} and of others; there are: {machines}")
    return own, other


BeginFold = Callable[[str, Setting, int], Report]


@dataclass(frozen=True)
class PlanesRow:
    """The folds of one encoder in one setting.

    Parameters
    ----------
    encoder, weights : str
    setting : {"linear", "full"}
    folds : tuple of FoldResult
    """

    encoder: str
    weights: str
    setting: Setting
    folds: tuple[FoldResult, ...]

    def spread(self, name: str) -> Spread | None:
        """Summarise ``f1_in`` or ``f1_out`` over the folds."""
        values = [getattr(fold, name) for fold in self.folds]
        return spread([value for value in values if value is not None])


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


_COMMON = ("images", "external", "seed", "balanced", "mask_text")
"""What decides a result whatever its encoder and setting."""


def read_rows(plan: PlanesPlan, candidates: Sequence[Candidate]) -> tuple[PlanesRow, ...]:
    """Return all rows that have a fold, those that are not run now included.

    Raises
    ------
    TrainingError
        Where a result was made otherwise: of one that is not run now, on other data or folds.
    """
    known = {candidate.name: candidate for candidate in candidates}
    rows = []
    for setting in SETTINGS:
        for encoder in list_encoders():
            made_with: Mapping[str, object]
            if encoder in known and setting in plan.settings:
                made_with = plan.made_with(known[encoder], setting)
            else:
                common = plan.made_with(candidates[0], setting)
                made_with = {name: common[name] for name in _COMMON}
            found = [
                _read(plan.file_of(encoder, setting, fold), made_with) for fold in range(FOLDS)
            ]
            if there := tuple(fold for fold in found if fold is not None):
                rows.append(PlanesRow(encoder, there[0].weights, setting, there))
    return tuple(rows)


def _read(path: Path, made_with: Mapping[str, object]) -> FoldResult | None:
    if not path.is_file():
        return None
    try:
        found = FoldResult.model_validate_json(path.read_bytes())
    except ValidationError:
        raise TrainingError(f"{path}: damaged; delete it") from None
    if others := sorted(k for k, value in made_with.items() if found.made_with.get(k) != value):
        raise TrainingError(
            f"{path}: was made with other {', '.join(others)} than requested; move it away, or "
            "choose another --out"
        )
    return found


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
