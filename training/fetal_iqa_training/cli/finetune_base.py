"""Which model a fine-tuning goes on from: given, in use, or the one that was corrected."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fetal_iqa_models import load_card, model_hash
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.settings import Task
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.model_library.automatic import candidates
from napari_fetal_iqa.model_library.in_use import reference_in_use
from napari_fetal_iqa.storage.settings import AUTOMATIC


def bases(
    given: Sequence[str] | None,
    tasks: Sequence[Task],
    stores: Sequence[Path],
    reviewer: str | None = None,
) -> Iterator[tuple[Task, str]]:
    """Return the base of each task.

    Parameters
    ----------
    given : sequence of str, optional
        Model folders or names, of several tasks each by its card; else the models in use.
    tasks : sequence of {"cls", "seg"}
    stores : sequence of Path
        The corrections, which say whose answers were corrected.
    reviewer : str, optional
        Whose corrections count; else everybody's.

    Raises
    ------
    TrainingError
        Where the given ones are not one of each task.
    ModelError, StoreError
        Where a model or a store cannot be read.
    """
    for task in tasks:
        base = _base(given, task, alone=len(tasks) == 1)
        yield task, _corrected(task, stores, reviewer) if base == AUTOMATIC else base


def _base(given: Sequence[str] | None, task: Task, alone: bool) -> str:
    if not given:
        return reference_in_use(task) or AUTOMATIC
    if alone and len(given) == 1:
        return given[0]
    named = [base for base in given if base != AUTOMATIC]
    of_task = [base for base in named if load_card(base).task == task]
    if not of_task and len(named) < len(given):
        return AUTOMATIC
    if len(of_task) != 1:
        raise TrainingError(
            f"{len(of_task)} bases for {task}: give one of each task with --base, or none "
            "for the models in use"
        )
    return of_task[0]


def _corrected(task: Task, stores: Sequence[Path], reviewer: str | None) -> str:
    """Return which of the built-in models answered most often what was corrected.

    That for real sweeps where none of them did.
    """
    found = candidates(AUTOMATIC, task)
    if len(found) == 1:
        return found[0]
    answers = [answer for path in stores for answer in _answers(path, reviewer)]
    hashes = {name: model_hash(name) for name in found}
    return max(found, key=lambda name: sum(hashes[name] in answer for answer in answers))


def _answers(path: Path, reviewer: str | None) -> list[str]:
    if not path.is_file():
        return []  # whoever reads the corrections says so
    with CorrectionStore(path, "ro") as store:
        return [event.answers for event in store.events(None, reviewer) if event.answers]
