"""What a fine-tuning would fail at in its data and its weights, found by reading them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fetal_iqa_models.errors import ModelError
from fetal_iqa_training.data.correction_set import CorrectionSet
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import silent
from fetal_iqa_training.settings import FinetuneSettings, Task
from napari_fetal_iqa.corrections.sweep_finder import SweepFinder
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.errors import FetalIqaError


def problems_of_data(
    bases: Mapping[Task, str],
    sets: Mapping[Task, CorrectionSet],
    settings: Mapping[Task, FinetuneSettings],
    sweeps: Sequence[Path],
    reference: Path | None,
    rehearse: Path | None,
    weights: Path | None,
) -> Iterator[str]:
    """Read every case, load the base with these weights, and compare who teaches and who judges.

    The phantoms that a demo model has by default are nobody's, and are not simulated for this.

    Parameters
    ----------
    bases : dict of task to str
    sets : dict of task to CorrectionSet
        Whose sweeps are all found.
    settings : dict of task to FinetuneSettings
    sweeps : sequence of Path
        Where to look for sweeps that were moved.
    reference, rehearse : Path, optional
        In the layout of ACOUSLIC-AI or HC18.
    weights : Path, optional
        Pretrained weights of the encoder.

    Yields
    ------
    str
        One problem, in the words of the training where it has some.
    """
    damaged = False
    for folder in dict.fromkeys(one for one in (reference, rehearse) if one is not None):
        for problem in _damages(folder):
            damaged = True
            yield problem
    given = reference is not None or rehearse is not None
    folders = (None, None) if damaged else (reference, rehearse)
    for task, base in bases.items() if weights is not None or given else ():
        try:
            _compare(base, sets[task], settings[task], sweeps, folders, weights)
        except (FetalIqaError, ModelError) as error:
            yield str(error)


def _damages(folder: Path) -> Iterator[str]:
    try:
        cases = list_annotated(folder)
    except FetalIqaError as error:
        yield str(error)
        return
    for case in cases:
        try:
            for _ in case.read():
                pass
        except FetalIqaError as error:
            yield str(error)


def _compare(
    base: str,
    corrections: CorrectionSet,
    settings: FinetuneSettings,
    sweeps: Sequence[Path],
    folders: tuple[Path | None, Path | None],
    weights: Path | None,
) -> None:
    from fetal_iqa_models import load_model
    from fetal_iqa_training.fitting.finetune_context import EarlierData, FinetuneContext
    from fetal_iqa_training.fitting.rehearsed import what_is_rehearsed
    from fetal_iqa_training.fitting.told_apart import told_apart
    from napari_fetal_iqa.storage import paths

    network = load_model(base, weights, paths.weights())
    reference, rehearse = folders
    given = EarlierData(reference, rehearse if settings.rehearsal else None)
    if given == EarlierData():
        return
    context = FinetuneContext(network, corrections, SweepFinder(sweeps), settings, silent)
    told_apart(context, what_is_rehearsed(given, given), reference)


def check_all(problems: Sequence[str]) -> None:
    """Refuse all problems in one go; each is named once.

    Raises
    ------
    TrainingError
    """
    if named := list(dict.fromkeys(problems)):
        several = f"{counted(len(named), 'problem')}: " if len(named) > 1 else ""
        raise TrainingError(several + "; ".join(named))
