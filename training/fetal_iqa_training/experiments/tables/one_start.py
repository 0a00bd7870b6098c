"""One folder of results, one kind of start: pretrained, at random, or a small encoder's trial."""

import re
from pathlib import Path

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.tables.plan import AT_RANDOM, Plan, stand_in_ending

_WITH_RUN = re.compile(r"seed-\d+")


def check_one_start(plan: Plan) -> None:
    """Refuse a folder whose finished runs began otherwise than those of a plan.

    The files of a table hold its rows of one kind of start: a job of another kind would write
    them anew without what was there.

    Raises
    ------
    TrainingError
        Names a run of another kind.
    """
    for folder in sorted((plan.out / "models").glob("*")):
        found = _ending(folder.name)
        if found == plan.ending or not _has_run(folder):
            continue
        raise TrainingError(
            f"{plan.out}: holds runs that started {_in_words(found)}, such as {folder.name}, and "
            f"these would start {_in_words(plan.ending)}: a table has one kind of start; choose "
            "another --out"
        )


def _ending(name: str) -> str:
    if name.endswith(AT_RANDOM):
        return AT_RANDOM
    _, found, stand_in = name.rpartition(stand_in_ending(""))
    return stand_in_ending(stand_in) if found else ""


def _in_words(ending: str) -> str:
    if not ending:
        return "from pretrained weights"
    if ending == AT_RANDOM:
        return "at random"
    return f"as trials with {ending.removeprefix(stand_in_ending(''))}"


def _has_run(folder: Path) -> bool:
    return any(_WITH_RUN.fullmatch(one.name) and one.is_dir() for one in folder.glob("seed-*"))
