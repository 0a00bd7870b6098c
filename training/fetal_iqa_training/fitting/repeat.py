"""The same fit from several seeds: mean and standard deviation of its metrics."""

import json
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import JsonValue, ValidationError

from fetal_iqa_models import ModelCard, load_card
from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.basis import basis_of
from fetal_iqa_training.fitting.stopping import STOPPED
from fetal_iqa_training.settings import FitSettings

SUMMARY = "summary.json"


def repeat_fit(
    fit_one: Callable[[Path, FitSettings], ModelCard],
    out: Path,
    settings: FitSettings,
    runs: int,
    begin_with: Callable[[], dict[str, JsonValue]],
    has_test: bool | None = None,
) -> dict[str, JsonValue]:
    """Fit several times on the same split and summarise the test metrics, as the paper does.

    Run k has the seed ``settings.seed + k`` and its model folder ``out/seed-<its seed>``; one
    that is there already is kept, so that a cut-off call goes on.

    Parameters
    ----------
    fit_one : callable
        Makes one model folder.
    out : Path
        Folder for the model folders and ``summary.json``.
    settings : FitSettings
    runs : int
        2 or more.
    begin_with : callable
        Returns the :func:`~fetal_iqa_training.fitting.basis.basis` of these fits; called where a
        model folder is there already.
    has_test : bool, optional
        Whether there is a test part; by default where the settings give it a share.

    Returns
    -------
    dict
        ``seeds`` and ``figures``: of each metric ``mean`` and ``std``, the sample standard
        deviation; also written to ``summary.json``.

    Raises
    ------
    TrainingError
        Where there is no test part, ``out`` is a model folder, or a model folder in it was
        fitted otherwise than is requested.
    """
    if not (settings.test_share if has_test is None else has_test):
        raise TrainingError("repeated runs are summarised on the test part: it has no subject")
    if (out / "model.json").exists():
        raise TrainingError(f"{out}: is a model folder; choose another for the repeated runs")
    split_seed = settings.seed if settings.split_seed is None else settings.split_seed
    seeds = range(settings.seed, settings.seed + runs)
    requested = {
        out / f"seed-{seed}": settings.model_copy(update={"seed": seed, "split_seed": split_seed})
        for seed in seeds
    }
    kept = {folder: load_card(folder) for folder in requested if folder.exists()}
    if kept:
        begun_with = begin_with()
        for folder, card in kept.items():
            check_is_the_same_fit(folder, card, requested[folder], begun_with)
    cards = [kept.get(folder) or fit_one(folder, run) for folder, run in requested.items()]
    summary: dict[str, JsonValue] = {"seeds": list(seeds), "figures": _spread(cards)}
    write_atomically(out / SUMMARY, json.dumps(summary, indent=2) + "\n")
    return summary


def _spread(cards: list[ModelCard]) -> dict[str, JsonValue]:
    runs = [card.metrics["test"] for card in cards]
    tested = [run for run in runs if isinstance(run, Mapping)]
    counts = {"frames", "positives"}
    spread: dict[str, JsonValue] = {}
    for name in (name for name in tested[0] if name not in counts):
        values = [
            float(value) for run in tested if isinstance(value := run.get(name), (int, float))
        ]
        if len(values) == len(cards):
            spread[name] = {
                "mean": round(statistics.mean(values), 4),
                "std": round(statistics.stdev(values), 4),
            }
    return spread


_CHANGES_NOTHING = {"workers"}
_IN_WORDS = {
    "test_data": "test data",
    "validation_data": "validation data",
    "copies_seed": "augmented copies",
}


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
        The requested ones.
    begun_with : mapping
        As :func:`~fetal_iqa_training.fitting.basis.basis` gives it.

    Raises
    ------
    TrainingError
        Names what differs.
    """
    if STOPPED in card.training:
        raise TrainingError(
            f"{folder}: was stopped before its end, and cannot stand beside whole runs; "
            "move it away, or choose another --out"
        )
    others = _differences(card, settings, begun_with)
    if others == ["test_data"]:
        raise TrainingError(
            f"{folder}: was judged on other test data (frames, labels, masks or spacing) than "
            "there are now, and cannot stand beside what is judged on these; move it away, so "
            "that it is made again, or choose another --out"
        )
    if others:
        named = ", ".join(_IN_WORDS.get(name, name) for name in others)
        raise TrainingError(
            f"{folder}: was fitted with other {named} than requested; "
            "move it away, or choose another --out"
        )


def _differences(
    card: ModelCard, settings: FitSettings, begun_with: Mapping[str, JsonValue]
) -> list[str]:
    try:
        noted = card.training.get("settings")
        if isinstance(noted, dict):  # before there was a choice, each epoch had its own copies
            noted = {"fresh_copies": bool(noted.get("copies", 2)), **noted}
        earlier = FitSettings.model_validate(noted)
    except ValidationError:
        return ["settings"]
    was = basis_of(card) | earlier.model_dump(mode="json", exclude=_CHANGES_NOTHING)
    wanted = {**begun_with, **settings.model_dump(mode="json", exclude=_CHANGES_NOTHING)}
    return sorted(name for name in was.keys() | wanted.keys() if was.get(name) != wanted.get(name))
