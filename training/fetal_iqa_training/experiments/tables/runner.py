"""Run after run, row after row: finished runs are kept, a row that fails lets the others go on."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from pydantic import JsonValue

from fetal_iqa_models import ModelCard, load_card, weights_record
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.memory import empty_cache, is_out_of_memory
from fetal_iqa_training.experiments.tables.cost import Cost, CostMeter, read_cost
from fetal_iqa_training.experiments.tables.plan import Plan, Weights
from fetal_iqa_training.experiments.tables.results import RowResult, RunResult
from fetal_iqa_training.experiments.tables.systems import Row
from fetal_iqa_training.fitting.fit import fit
from fetal_iqa_training.fitting.repeat import check_is_the_same_fit
from fetal_iqa_training.progress import Report
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.storage import paths


@dataclass(frozen=True)
class RunPosition:
    """Where an experiment is: row ``number`` of ``rows``, run ``run`` of ``runs``, from 1."""

    row: str
    number: int
    rows: int
    run: int
    runs: int

    def __str__(self) -> str:
        """Describe it for people."""
        return f"row {self.number} of {self.rows}, {self.row}: run {self.run} of {self.runs}"


BeginRun = Callable[[RunPosition], Report]
"""Called at the start of each run that has to be made; returns the listener of its progress."""


class Runner:
    """Makes the runs of rows.

    Parameters
    ----------
    plan : Plan
    weights : mapping
        As :func:`~fetal_iqa_training.experiments.tables.plan.find_weights` returns them.
    begin_run : callable
    command : str
        Noted in the models' cards.
    """

    def __init__(
        self, plan: Plan, weights: Weights, begin_run: BeginRun, command: str = ""
    ) -> None:
        self._plan = plan
        self._weights = weights
        self._begin_run = begin_run
        self._command = command
        self._hashes: dict[str, str | None] | None = None

    def run(self, rows: Sequence[Row]) -> Iterator[tuple[RowResult, ...]]:
        """Make what is missing of all rows, and yield the results so far after every run.

        Before anything is trained, models in the way that were fitted otherwise are refused. A row
        that fails is left with its finished runs and the reason; the next goes on.

        Yields
        ------
        tuple of RowResult
            As many as ``rows``.

        Raises
        ------
        TrainingError
            Where the data cannot be used, there is no test part, a model is no run of this
            experiment, or the process was told to end.
        """
        self._plan.split_cases()
        results = [self._kept(row) for row in rows]
        yield tuple(results)
        for index, row in enumerate(rows):
            for number, seed in enumerate(self._plan.seeds):
                if any(run.seed == seed for run in results[index].runs):
                    continue
                position = RunPosition(row.name, index + 1, len(rows), number + 1, self._plan.runs)
                results[index] = self._tried(results[index], seed, position)
                yield tuple(results)
                if results[index].failure is not None:
                    break

    def _kept(self, row: Row) -> RowResult:
        encoder = self._plan.encoder_of(row)
        runs = (self._finished(row, seed) for seed in self._plan.seeds)
        kept = tuple(run for run in runs if run)
        return RowResult(row, encoder, self._weights[encoder] is None, kept)

    def _tried(self, result: RowResult, seed: int, position: RunPosition) -> RowResult:
        try:
            run = self._fitted(result.row, seed, self._begin_run(position))
        except (FetalIqaError, ModelError, OSError, RuntimeError, MemoryError) as error:
            if isinstance(error.__context__, SystemExit):
                raise  # somebody ended the process
            failure = "out of memory" if is_out_of_memory(error) else _first_line(error)
            result = replace(result, failure=failure)
        else:
            runs = sorted((*result.runs, run), key=lambda one: one.seed)
            result = replace(result, runs=tuple(runs))
        _let_go_of_memory()
        return result

    def _fitted(self, row: Row, seed: int, report: Report) -> RunResult:
        folder = self._plan.folder_of(row, seed)
        settings = self._plan.settings_of(row, seed)
        meter = CostMeter(folder.with_name(f"{folder.name}.cost.json"), settings, report)
        card = fit(
            self._plan.data,
            folder,
            settings,
            weights=self._weights[settings.encoder],
            split=self._plan.split,
            prepared=self._plan.prepared,
            command=self._command,
            report=meter,
        )
        return _result(seed, folder, card, meter.finish())

    def _finished(self, row: Row, seed: int) -> RunResult | None:
        """Return a run that was made before; refuse one that was made otherwise."""
        folder = self._plan.folder_of(row, seed)
        if not folder.exists():
            return None
        card = load_card(folder)
        settings = self._plan.settings_of(row, seed)
        check_is_the_same_fit(folder, card, settings, self._begun_with(row, settings.encoder))
        cost = read_cost(folder.with_name(f"{folder.name}.cost.json"))
        return _result(seed, folder, card, cost)

    def _begun_with(self, row: Row, encoder: str) -> dict[str, JsonValue]:
        weights = self._weights[encoder]
        record = None if weights is None else weights_record(weights, paths.weights())
        return {**self._data(row), "weights": None if record is None else record.sha256}

    def _data(self, row: Row) -> dict[str, str | None]:
        """Hashes of the training frames and of the split, which all runs share.

        Read once, and only where there is a model to compare with.
        """
        if self._hashes is None:
            data = self._plan.data_of(row)
            self._hashes = {"data": data.training_hash, "split": data.split}
        return self._hashes


def _result(seed: int, folder: Path, card: ModelCard, cost: Cost | None) -> RunResult:
    trainable = card.training.get("trainable_parameters")
    known = trainable if isinstance(trainable, int) else None
    return RunResult(seed, folder, _test_metrics(card), cost, known)


def _test_metrics(card: ModelCard) -> dict[str, float]:
    """Metrics of the test part that a model's card holds, without the counts."""
    test = card.metrics.get("test")
    if not isinstance(test, Mapping):
        return {}
    return {name: value for name, value in test.items() if isinstance(value, float)}


def _first_line(error: BaseException) -> str:
    # errors of CUDA run over a page; the first line names the cause
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _let_go_of_memory() -> None:
    """Begin the next run with the memory that the last one held."""
    # first the collection: a network and its trainer refer to each other, and hold the cache
    gc.collect()
    if torch.cuda.is_available():
        empty_cache(torch.device("cuda"))
