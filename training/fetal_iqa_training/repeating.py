"""The same fit from several seeds: mean and standard deviation of its figures."""

import json
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_models import ModelCard, load_card
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.settings import FitSettings
from napari_fetal_iqa.places import write_atomically

SUMMARY = "summary.json"


def repeat_fit(
    fit_one: Callable[[Path, FitSettings], ModelCard],
    out: Path,
    settings: FitSettings,
    runs: int,
) -> dict[str, JsonValue]:
    """Fit several times on the same split and summarise the test figures, as the paper does.

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

    Returns
    -------
    dict
        ``seeds`` and ``figures``: of each figure ``mean`` and ``std``, the sample standard
        deviation; also written to ``summary.json``.

    Raises
    ------
    TrainingError
        Where there is no test part, or ``out`` is a model folder.
    """
    if not settings.test_share:
        raise TrainingError("repeated runs are summarised on the test part: give it a share")
    if (out / "model.json").exists():
        raise TrainingError(f"{out}: is a model folder; choose another for the repeated runs")
    split_seed = settings.seed if settings.split_seed is None else settings.split_seed
    seeds = range(settings.seed, settings.seed + runs)
    cards = []
    for seed in seeds:
        folder = out / f"seed-{seed}"
        run = settings.model_copy(update={"seed": seed, "split_seed": split_seed})
        cards.append(load_card(folder) if folder.exists() else fit_one(folder, run))
    summary: dict[str, JsonValue] = {"seeds": list(seeds), "figures": _spread(cards)}
    write_atomically(out / SUMMARY, json.dumps(summary, indent=2) + "\n")
    return summary


def _spread(cards: list[ModelCard]) -> dict[str, JsonValue]:
    runs = [card.metrics["test"] for card in cards]
    tested = [run for run in runs if isinstance(run, Mapping)]
    counts = {"frames", "positives"}
    spread: dict[str, JsonValue] = {}
    for name in (name for name in tested[0] if name not in counts):
        values = [float(value) for run in tested if isinstance(value := run.get(name), float)]
        if len(values) == len(cards):
            spread[name] = {
                "mean": round(statistics.mean(values), 4),
                "std": round(statistics.stdev(values), 4),
            }
    return spread
