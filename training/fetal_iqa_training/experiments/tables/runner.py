"""Run after run, row after row: finished runs are kept, a row that fails lets the others go on."""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.memory import empty_cache, is_out_of_memory
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.tables.cost import CostMeter
from fetal_iqa_training.experiments.tables.curves import logs_of
from fetal_iqa_training.experiments.tables.finished import FinishedRuns
from fetal_iqa_training.experiments.tables.frame_outcomes import write_outcomes
from fetal_iqa_training.experiments.tables.locks import claimed
from fetal_iqa_training.experiments.tables.one_start import check_one_start
from fetal_iqa_training.experiments.tables.plan import Plan, Weights
from fetal_iqa_training.experiments.tables.results import RowResult
from fetal_iqa_training.experiments.tables.systems import Row
from fetal_iqa_training.fitting.fit import fit
from fetal_iqa_training.progress import Report
from napari_fetal_iqa.errors import FetalIqaError


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

Results = tuple[RowResult, ...]


class Runner:
    """Makes the runs of rows; any number of processes may do so in one folder at once.

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
        self._finished = FinishedRuns(plan, weights)
        self.made_elsewhere: list[str] = []
        """Rows of which another process was making a run when this one came by."""

    def results(self, rows: Sequence[Row], table: Sequence[Row] = ()) -> Results:
        """Return what there is now of some rows, and of the others of a table that have runs.

        Parameters
        ----------
        rows : sequence of Row
            Always among the results.
        table : sequence of Row
            All rows of the table, which gives the order.

        Raises
        ------
        TrainingError
            Where a model is no run of this experiment, or runs started otherwise.
        """
        check_one_start(self._plan)
        chosen = {row.name for row in rows}
        every = [*table] if table else [*rows]
        found = (self._finished.result_of(row) for row in every)
        return tuple(one for one in found if one.runs or one.row.name in chosen)

    def run(self, rows: Sequence[Row], table: Sequence[Row] = ()) -> Iterator[Results]:
        """Make what is missing of some rows, and yield the results so far after every run.

        Before anything is trained, models in the way that were fitted otherwise are refused. A row
        that fails is left with its finished runs and the reason; the next goes on. A run that
        another process is making is left to it.

        Yields
        ------
        tuple of RowResult
            As of :meth:`results`.

        Raises
        ------
        TrainingError
            Where the data cannot be used, there is no test part, a model is no run of this
            experiment, or the process was told to end.
        """
        self._plan.split_cases()
        yield self.results(rows, table)
        for index, row in enumerate(rows):
            begun_anew, left_to_others = False, False
            for number, seed in enumerate(self._plan.seeds):
                position = RunPosition(row.name, index + 1, len(rows), number + 1, self._plan.runs)
                folder = self._plan.folder_of(row, seed)
                if folder.exists():
                    continue
                run = f"{folder.parent.name}-{folder.name}"
                with claimed(self._plan.out, run) as ours:
                    if not ours:
                        self.made_elsewhere.append(row.name)
                        left_to_others = True
                        continue
                    if folder.exists():
                        continue  # made while this one waited for nothing
                    if not (begun_anew or left_to_others):
                        # a note of a run that another process is making is that one's
                        self._finished.failure_file(row).unlink(missing_ok=True)
                        begun_anew = True
                    failure = self._tried(row, seed, position)
                    if failure is not None:
                        write_atomically(self._finished.failure_file(row), f"{failure}\n")
                yield self.results(rows, table)
                if failure is not None:
                    break

    def _tried(self, row: Row, seed: int, position: RunPosition) -> str | None:
        """Make a run; return why it failed, if it did."""
        failure = None
        try:
            self._fit(row, seed, self._begin_run(position))
        except (FetalIqaError, ModelError, OSError, RuntimeError, MemoryError) as error:
            if isinstance(error.__context__, SystemExit):
                raise  # somebody ended the process
            failure = "out of memory" if is_out_of_memory(error) else _first_line(error)
        _let_go_of_memory()
        return failure

    def _fit(self, row: Row, seed: int, report: Report) -> None:
        folder = self._plan.folder_of(row, seed)
        settings = self._plan.settings_of(row, seed)
        adapter = self._plan.adapter_of(row, seed)
        if adapter is not None and not adapter.is_dir():
            raise TrainingError(f"starts from the adapter of {row.starts_from}, which has no run")
        meter = CostMeter(folder.with_name(f"{folder.name}.cost.json"), settings, report)
        fit(
            self._plan.data,
            folder,
            settings,
            weights=self._weights[settings.encoder],
            adapter_from=adapter,
            split=self._plan.split,
            prepared=self._plan.prepared,
            command=self._command,
            report=meter,
            logs=replace(logs_of(folder), kinds=self._plan.loggers),
            on_judged=lambda judged: write_outcomes(
                folder, judged.outcomes, self._plan.split_cases().test
            ),
        )
        meter.finish()


def _first_line(error: BaseException) -> str:
    # errors of CUDA run over a page; the first line names the cause
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _let_go_of_memory() -> None:
    """Begin the next run with the memory that the last one held."""
    # first the collection: a network and its trainer refer to each other, and hold the cache
    gc.collect()
    if torch.cuda.is_available():
        empty_cache(torch.device("cuda"))
