"""The finished runs, a file each, and the rows of one table, which are trained alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_iqa_models import list_encoders
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.bootstrap import Spread, spread
from fetal_iqa_training.experiments.planes.encoders import Candidate
from fetal_iqa_training.experiments.planes.folds import FOLDS
from fetal_iqa_training.experiments.planes.plan import PROCEDURE, SETTINGS, PlanesPlan, Setting


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


_REQUESTED = ("epochs", "batch_size", "learning_rate")
"""What a job that trains nothing in full requests nothing of."""
_IN_WORDS = {
    "encoder": "weights",
    "batch_size": "batch size",
    "learning_rate": "learning rate",
    "balanced": "class weights",
    "mask_text": "mask of text",
}


def read_rows(plan: PlanesPlan, candidates: Sequence[Candidate]) -> tuple[PlanesRow, ...]:
    """Return all rows that have a fold, those that are not run now included.

    Raises
    ------
    TrainingError
        Where a result was made otherwise than requested: one that is not run now with whatever
        weights, but on the same data and folds and by the same training. Where none is trained
        now, those that were must have been trained alike.
    """
    known = {candidate.name: candidate for candidate in candidates}
    rows = []
    for setting in SETTINGS:
        common = plan.made_with(candidates[0], setting)
        del common["encoder"]
        first = "requested"
        if setting not in plan.settings:
            common = {name: common[name] for name in common if name not in _REQUESTED}
        for encoder in list_encoders():
            made_with, like = common, first
            runs_now = encoder in known and setting in plan.settings
            if runs_now:
                made_with = plan.made_with(known[encoder], setting)
            there = []
            for fold in range(FOLDS):
                path = plan.file_of(encoder, setting, fold)
                found = _read(path, made_with, like)
                if found is None:
                    continue
                there.append(found)
                if not runs_now:
                    made_with, like = found.made_with, str(path)
                if setting not in plan.settings:
                    common |= {n: found.made_with[n] for n in _REQUESTED if n in found.made_with}
                    first = str(path)
            if there:
                rows.append(PlanesRow(encoder, there[0].weights, setting, tuple(there)))
    return tuple(rows)


def _read(path: Path, made_with: Mapping[str, object], like: str) -> FoldResult | None:
    if not path.is_file():
        return None
    try:
        found = FoldResult.model_validate_json(path.read_bytes())
    except ValidationError:
        raise TrainingError(f"{path}: damaged; delete it") from None
    others = sorted(k for k, value in made_with.items() if found.made_with.get(k) != value)
    if PROCEDURE in others:
        raise TrainingError(
            f"{path}: was trained by another version of the program, which gives other results; "
            "move it away, so that it is made again, or choose another --out"
        )
    if others:
        named = ", ".join(_IN_WORDS.get(name, name) for name in others)
        raise TrainingError(
            f"{path}: was made with other {named} than {like}; move it away, or choose "
            "another --out"
        )
    return found
