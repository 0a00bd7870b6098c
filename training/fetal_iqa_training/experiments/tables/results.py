"""What the runs of a row gave: metrics run by run, their mean and standard deviation."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.bootstrap import Spread, spread
from fetal_iqa_training.experiments.tables.cost import Cost
from fetal_iqa_training.experiments.tables.paper import PAPER_DICE, PaperFigure
from fetal_iqa_training.experiments.tables.systems import Row

COUNTED = "circumference_measured"
"""A number of frames among the metrics, to read the error beside it with."""

METRICS = (
    PAPER_DICE,
    "dice",
    "accuracy",
    "f1",
    "precision",
    "recall",
    "specificity",
    "average_precision",
    "circumference_error_mm",
    COUNTED,
)


@dataclass(frozen=True)
class RunResult:
    """One finished run.

    Parameters
    ----------
    seed : int
    folder : Path
        Its model.
    metrics : mapping of str to float
        Of the test part.
    cost : Cost or None
        None where nobody measured it.
    trainable : int or None
        Parameters that were trained, as the model's card says.
    outcomes : Path or None
        What it said of every test frame.
    random : bool
        The encoder started at random.
    test_data : str
        Hash of what it was judged on; empty where the card does not say.
    """

    seed: int
    folder: Path
    metrics: Mapping[str, float]
    cost: Cost | None
    trainable: int | None = None
    outcomes: Path | None = None
    random: bool = False
    test_data: str = ""


@dataclass(frozen=True)
class RowResult:
    """A row with the runs that it has so far.

    Parameters
    ----------
    row : Row
    encoder : str
        That it was run with: the row's own, or its stand-in.
    random : bool
        The encoder started at random.
    runs : tuple of RunResult
    failure : str, optional
        Why a run could not be finished.
    """

    row: Row
    encoder: str
    random: bool
    runs: tuple[RunResult, ...] = ()
    failure: str | None = None

    @property
    def warning(self) -> str | None:
        """Why these are not the results of the paper's system, if so."""
        if self.encoder != self.row.encoder:
            return f"small stand-in encoder {self.encoder}, random weights: not the paper's system"
        return "random weights: not the paper's system" if self.random else None

    @property
    def trainable(self) -> int | None:
        """Parameters that were trained; None before the first run."""
        return self.runs[0].trainable if self.runs else None

    @property
    def training(self) -> str:
        """How it is trained, for people."""
        if self.row.strategy != "lora":
            return {"linear": "head alone", "full": "in full"}[self.row.strategy]
        words = f"LoRA, rank {self.row.lora.rank}" + (", with qkv" if self.row.with_qkv else "")
        if self.row.starts_from:
            words += f", from the adapter of {self.row.starts_from}"
        return words + (", as the published code" if self.row.recipe == "published" else "")

    def metric(self, name: str) -> Spread | None:
        """Summarise a metric over the runs; None where not every run has it."""
        values = [run.metrics[name] for run in self.runs if name in run.metrics]
        return spread(values) if len(values) == len(self.runs) else None

    def beside_paper(self, name: str) -> "BesidePaper | None":
        """Set a metric beside the paper's; None where either is not known."""
        found, theirs = self.metric(name), self.row.paper.get(name)
        return None if found is None or theirs is None else BesidePaper(found, theirs)

    def cost(self, name: str) -> float | None:
        """Return the mean over the runs of ``seconds``, ``epoch_seconds``, or the memory's MiB."""
        known: list[float] = []
        for run in self.runs:
            value = None if run.cost is None else getattr(run.cost, name)
            if isinstance(value, tuple):
                value = statistics.mean(value) if value else None
            if value is not None:
                known.append(value)
        return statistics.mean(known) if known else None

    def as_json(self) -> dict[str, JsonValue]:
        """Return everything about the row."""
        row = self.row
        return {
            "row": row.name,
            "title": row.title,
            "in_paper": row.in_paper,
            "paper": {
                name: {"mean": theirs.mean, "std": theirs.std} for name, theirs in row.paper.items()
            },
            "paper_trainable_parameters": row.paper_trainable,
            "starts_from": row.starts_from,
            "encoder": self.encoder,
            "warning": self.warning,
            "task": row.task,
            "strategy": row.strategy,
            "recipe": row.recipe,
            "lora": row.lora.model_dump(mode="json") if row.strategy == "lora" else None,
            "trainable_parameters": self.trainable,
            "figures": {
                name: {"mean": found.mean, "std": found.std}
                for name in METRICS
                if (found := self.metric(name)) is not None
            },
            "beside_paper": {
                name: {"difference": beside.difference, "within_spreads": beside.within_spreads}
                for name in METRICS
                if (beside := self.beside_paper(name)) is not None
            },
            "cost": {name: self.cost(name) for name in COSTS},
            "runs": [_run_as_json(run) for run in self.runs],
            "failure": self.failure,
        }


@dataclass(frozen=True)
class BesidePaper:
    """A metric of ours and the same of the paper.

    Parameters
    ----------
    ours : Spread
    paper : PaperFigure
    """

    ours: Spread
    paper: PaperFigure

    @property
    def difference(self) -> float:
        """Ours less the paper's."""
        return self.ours.mean - self.paper.mean

    @property
    def within_spreads(self) -> bool | None:
        """Whether mean ± standard deviation of the two overlap; None where one has no deviation."""
        if self.ours.std is None or self.paper.std is None:
            return None
        # rounding: the paper's are given to 4 and 3 digits
        return abs(self.difference) <= self.ours.std + self.paper.std + 1e-9


ResultPair = tuple[RowResult, RowResult]
"""Of CLS and of SEG."""
COSTS = ("seconds", "epoch_seconds", "gpu_mib", "process_mib")


def _run_as_json(run: RunResult) -> dict[str, JsonValue]:
    return {
        "seed": run.seed,
        "model": f"{run.folder.parent.name}/{run.folder.name}",
        "figures": dict(run.metrics),
        "cost": None
        if run.cost is None
        else run.cost.model_dump(mode="json", exclude={"settings"}),
    }


def compare_runs(row: RowResult, reference: RowResult, metric: str) -> Spread | None:
    """Summarise by how much a row beats another, run by run with the same seed.

    Both are judged on the same frames, so that what makes them easy or hard cancels out.

    Returns
    -------
    Spread or None
        Of the differences; None where no seed has run in both, or they are one row.
    """
    others = {run.seed: run.metrics.get(metric) for run in reference.runs}
    differences: list[float] = []
    for run in row.runs:
        own, other = run.metrics.get(metric), others.get(run.seed)
        if own is not None and other is not None and row.row != reference.row:
            differences.append(own - other)
    return spread(differences)


def paired_runs(results: ResultPair) -> list[tuple[RunResult, RunResult]]:
    """Return the runs of CLS and SEG that have one seed.

    Raises
    ------
    TrainingError
        Where there is none.
    """
    cls, seg = results
    of_seed = {run.seed: run for run in seg.runs}
    pairs = [(run, of_seed[run.seed]) for run in cls.runs if run.seed in of_seed]
    if not pairs:
        raise TrainingError("no seed has both a CLS and a SEG model; see the failures above")
    return pairs
