"""Which built-in model suits a sweep: what "automatic" means where no model is chosen."""

from pathlib import Path
from typing import Literal, TypeVar

from fetal_iqa_models.cards import Task
from napari_fetal_iqa.storage.settings import AUTOMATIC, Settings

Kind = Literal["real", "phantom"]
Reference = TypeVar("Reference", str, str | Path | None)

SUITED: dict[Kind, dict[Task, str]] = {
    "real": {"cls": "starter-cls", "seg": "starter-seg"},
    "phantom": {"cls": "demo-cls", "seg": "demo-seg"},
}
"""By kind of sweep and task, a name of :data:`~fetal_iqa_models.built_in.BUILT_IN`."""

IN_WORDS: dict[Kind, str] = {"real": "real sweeps", "phantom": "phantoms"}


def kind_of(simulated: bool) -> Kind:
    """Return the kind of a sweep, by what :class:`~napari_fetal_iqa.sweep.SweepVolume` says."""
    return "phantom" if simulated else "real"


def suited(reference: Reference, task: Task, simulated: bool) -> Reference | str:
    """Return a model's reference as it is; of "automatic" the built-in model for such a sweep.

    Parameters
    ----------
    reference : str
        As the settings hold it, or any.
    task : {"cls", "seg"}
    simulated : bool
        Whether the sweep is a phantom.
    """
    return SUITED[kind_of(simulated)][task] if reference == AUTOMATIC else reference


def models_for(settings: Settings, simulated: bool) -> tuple[str, str]:
    """Return the CLS and the SEG model of the settings for a sweep; empty for none."""
    return (
        suited(settings.cls_model, "cls", simulated),
        suited(settings.seg_model, "seg", simulated),
    )


def candidates(reference: str, task: Task) -> list[str]:
    """Return each model that a reference may mean, that for real sweeps first."""
    return list(dict.fromkeys(suited(reference, task, simulated) for simulated in (False, True)))


def sweeps_of(model: str, task: Task) -> str:
    """Say for which sweeps "automatic" takes a built-in model; empty where for none."""
    kinds = [kind for kind, models in SUITED.items() if models[task] == model]
    return "all sweeps" if len(kinds) == len(SUITED) else "".join(IN_WORDS[kind] for kind in kinds)


def automatic_words(task: Task) -> str:
    """Say in a few words which models "automatic" takes for a task."""
    found = candidates(AUTOMATIC, task)
    named = [f"{model} for {sweeps_of(model, task)}" for model in found]
    return f"{AUTOMATIC} ({', '.join(named)})"
