"""Which models are in use, and which were before: the settings, and a history beside them."""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.cards import Task, resolve_model
from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.model_library.automatic import candidates, sweeps_of
from napari_fetal_iqa.model_library.zero_shot import located
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import AUTOMATIC, load_settings, save_settings

logger = logging.getLogger(__name__)

TASKS: tuple[Task, ...] = ("cls", "seg")
FOR: dict[Task, str] = {"cls": "quality", "seg": "outline"}
"""What a task gives, as the window calls it."""

_REMEMBERED = 100
_HISTORY = TypeAdapter(dict[Task, tuple[str, ...]])


def reference_in_use(task: Task) -> str:
    """Return the model in use for a task, as the settings hold it: a folder or a shipped name.

    Empty where the person at this machine chose to have none, "automatic" where each sweep has
    the one that suits it.
    """
    settings = load_settings()
    return settings.cls_model if task == "cls" else settings.seg_model


def references_in_use() -> list[str]:
    """Return the models in use for any task; where that is automatic, all that it may mean."""
    return [
        meant
        for task in TASKS
        if (reference := reference_in_use(task))
        for meant in candidates(reference, task)
    ]


def places_in_use(references: Mapping[Task, str]) -> dict[Path, str]:
    """Return where the models in use lie, and of each for which sweeps it was taken.

    Parameters
    ----------
    references : dict of task to str
        What is in use, as the settings hold it.

    Returns
    -------
    dict of Path to str
        As ``"real sweeps"``; empty of one that was chosen, for any sweep.
    """
    return {
        locate(meant): sweeps_of(meant, task) if reference == AUTOMATIC else ""
        for task, reference in references.items()
        if reference
        for meant in candidates(reference, task)
    }


def locate(reference: str) -> Path:
    """Return the place of a model, by which two ways of writing it are known to be one."""
    folder = resolve_model(reference) if reference in BUILT_IN else located(reference)
    return Path(os.path.realpath(folder))


def _same(one: str, other: str) -> bool:
    return one == other or (AUTOMATIC not in (one, other) and locate(one) == locate(other))


class UseHistory:
    """Changes which model is in use, and remembers what was, per task and oldest first.

    What is in use is in the settings and nowhere else: the window changes it there, too.

    Parameters
    ----------
    path : Path
        JSON file; made with the first change.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def references(self) -> list[str]:
        """Return all models that were in use at some time, of any task."""
        remembered = [reference for of_task in self._load().values() for reference in of_task]
        return [reference for reference in remembered if reference != AUTOMATIC]

    def take(self, task: Task, reference: str) -> None:
        """Take a model into use for a task; an empty reference: none from now on.

        Raises
        ------
        ModelError
            Where the settings or the history cannot be written.
        """
        current = reference_in_use(task)
        if current == reference or (current and reference and _same(current, reference)):
            return
        before = [*self._before(task), *([current] if current else [])]
        self._keep(task, before)  # and again below: a kill in between forgets nothing
        _put_in_use(task, reference)
        self._keep(task, [*before, *([reference] if reference else [])])

    def back(self, task: Task, reason_against: Callable[[str], str | None]) -> str | None:
        """Take what was in use before into use again.

        Parameters
        ----------
        task : {"cls", "seg"}
        reason_against : callable
            Says why a model cannot be used any more; such are passed over, with a warning.

        Returns
        -------
        str or None
            What is in use now; None where nothing was before, so that nothing changed.
        """
        before = self._before(task)
        while before:
            reason = None if before[-1] == AUTOMATIC else reason_against(before[-1])
            if reason is None:
                _put_in_use(task, before[-1])
                self._keep(task, before)
                return before[-1]
            logger.warning("passed over, it cannot be used any more: %s", reason)
            before.pop()
        return None

    def _before(self, task: Task) -> list[str]:
        """Return what was in use until what is in use now was."""
        current = reference_in_use(task)
        before = list(self._load()[task])
        while before and current and _same(before[-1], current):
            before.pop()
        return before

    def _load(self) -> dict[Task, tuple[str, ...]]:
        none: dict[Task, tuple[str, ...]] = dict.fromkeys(TASKS, ())
        try:
            return none | _HISTORY.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return none
        except (OSError, ValidationError):
            logger.warning("the history of the models in use is damaged; starting a new one")
            return none

    def _keep(self, task: Task, references: list[str]) -> None:
        history = self._load()
        history[task] = tuple(references[-_REMEMBERED:])
        try:
            write_atomically(self._path, _HISTORY.dump_json(history, indent=1).decode())
        except OSError as error:
            raise _unwritable(self._path, error) from error


def _put_in_use(task: Task, reference: str) -> None:
    settings = load_settings().model_copy(update={f"{task}_model": reference})
    try:
        save_settings(settings)
    except OSError as error:
        raise _unwritable(paths.home(), error) from error


def _unwritable(path: Path, error: OSError) -> ModelError:
    return ModelError(
        f"{path}: what is in use cannot be written ({error.strerror}); free space, or check the "
        "rights of the folder"
    )
