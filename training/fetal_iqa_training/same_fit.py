"""Whether a model that is there was fitted as is asked for: then its run need not be made."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue, ValidationError

from fetal_iqa_models import ModelCard
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.fit import basis_of
from fetal_iqa_training.settings import FitSettings

_CHANGES_NOTHING = {"workers"}


def check_is_the_same_fit(
    folder: Path, card: ModelCard, settings: FitSettings, begun_with: Mapping[str, JsonValue]
) -> None:
    """Refuse a model that was fitted otherwise.

    Parameters
    ----------
    folder : Path
        The model's, to name it.
    card : ModelCard
        Settings that an earlier version did not have count as their defaults.
    settings : FitSettings
        That are asked for.
    begun_with : mapping
        As :func:`~fetal_iqa_training.fitting.fit.basis` gives it.

    Raises
    ------
    TrainingError
        Names what differs.
    """
    if others := _differences(card, settings, begun_with):
        raise TrainingError(
            f"{folder}: was fitted with other {', '.join(others)} than is asked for; "
            "move it away, or choose another --out"
        )


def _differences(
    card: ModelCard, settings: FitSettings, begun_with: Mapping[str, JsonValue]
) -> list[str]:
    try:
        said = FitSettings.model_validate(card.training.get("settings"))
    except ValidationError:
        return ["settings"]
    was = basis_of(card) | said.model_dump(mode="json", exclude=_CHANGES_NOTHING)
    wanted = {**begun_with, **settings.model_dump(mode="json", exclude=_CHANGES_NOTHING)}
    return sorted(name for name in was.keys() | wanted.keys() if was.get(name) != wanted.get(name))
