"""The runs that are finished, whoever made them: read from the folder of the results."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_models import ModelCard, load_card, model_hash, weights_record
from fetal_iqa_training.experiments.tables.cost import read_cost
from fetal_iqa_training.experiments.tables.frame_outcomes import outcomes_file
from fetal_iqa_training.experiments.tables.plan import Plan, Weights
from fetal_iqa_training.experiments.tables.results import RowResult, RunResult
from fetal_iqa_training.experiments.tables.systems import Row
from fetal_iqa_training.fitting.repeat import check_is_the_same_fit
from napari_fetal_iqa.storage import paths


class FinishedRuns:
    """Reads finished runs and refuses those that were made otherwise than this experiment's.

    Parameters
    ----------
    plan : Plan
    weights : mapping
        Pretrained weights of the rows that are run. A row that is not run now may have been made
        where its weights were at hand; it is read all the same.
    """

    def __init__(self, plan: Plan, weights: Weights) -> None:
        self._plan = plan
        self._weights = weights
        self._identity: dict[str, JsonValue] | None = None
        self._known: dict[Path, RunResult] = {}

    def result_of(self, row: Row) -> RowResult:
        """Return a row with all of its runs that are there, of whatever seed.

        Raises
        ------
        TrainingError
            Where a model is no run of this experiment: of other settings, data or weights.
        """
        encoder = self._plan.encoder_of(row)
        folders = self._plan.folder_of(row, 0).parent.glob("seed-*[0-9]")
        seeds = sorted(
            int(folder.name.removeprefix("seed-"))
            for folder in folders
            if folder.is_dir() and folder.name.removeprefix("seed-").isdecimal()
        )
        runs = tuple(self._run(row, seed) for seed in seeds)
        failure = self.failure_file(row)
        return RowResult(
            row,
            encoder,
            random=all(run.random for run in runs) if runs else self._starts_at_random(encoder),
            runs=runs,
            failure=failure.read_text(encoding="utf-8").strip() if failure.is_file() else None,
        )

    def failure_file(self, row: Row) -> Path:
        """Where it is noted why a row could not be finished; there while it could not."""
        return self._plan.folder_of(row, 0).parent / "failure.txt"

    def _starts_at_random(self, encoder: str) -> bool:
        return encoder in self._weights and self._weights[encoder] is None

    def _run(self, row: Row, seed: int) -> RunResult:
        folder = self._plan.folder_of(row, seed)
        if folder not in self._known:
            card = load_card(folder)
            settings = self._plan.settings_of(row, seed)
            check_is_the_same_fit(folder, card, settings, self._begun_with(row, seed, card))
            self._known[folder] = run_result(seed, folder, card)
        return self._known[folder]

    def _begun_with(self, row: Row, seed: int, card: ModelCard) -> dict[str, JsonValue]:
        encoder = self._plan.encoder_of(row)
        sha256 = card.training.get("weights")
        if encoder in self._weights:
            weights = self._weights[encoder]
            sha256 = None if weights is None else weights_record(weights, paths.weights()).sha256
        adapter = self._plan.adapter_of(row, seed)
        parent = model_hash(adapter) if adapter is not None and adapter.is_dir() else None
        return {**self._data(row), "weights": sha256, "start_from": parent}

    def _data(self, row: Row) -> dict[str, JsonValue]:
        """Identity of what teaches, chooses and judges, which all runs share.

        Read once, and only where there is a model to compare with.
        """
        if self._identity is None:
            self._identity = self._plan.data_of(row).identity()
        return self._identity


def run_result(seed: int, folder: Path, card: ModelCard) -> RunResult:
    """Return what a model folder and the files beside it say of a run."""
    trainable = card.training.get("trainable_parameters")
    outcomes = outcomes_file(folder)
    return RunResult(
        seed,
        folder,
        _test_metrics(card),
        read_cost(folder.with_name(f"{folder.name}.cost.json")),
        trainable if isinstance(trainable, int) else None,
        outcomes if outcomes.is_file() else None,
        random=card.training.get("weights") is None,
        test_data=str(card.training.get("test_data") or ""),
    )


_SIZES = frozenset({"frames", "positives"})


def _test_metrics(card: ModelCard) -> dict[str, float]:
    """Metrics of the test part that a model's card holds, without the size of that part."""
    test = card.metrics.get("test")
    if not isinstance(test, Mapping):
        return {}
    return {
        name: float(value)
        for name, value in test.items()
        if isinstance(value, (int, float)) and name not in _SIZES
    }
