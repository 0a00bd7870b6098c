"""What an experiment is run with: data, seeds, settings, weights, and where everything goes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_iqa_models import encoder_spec
from fetal_iqa_training.data.split import SPLIT, CaseSplit
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.tables.catalogue import CLS
from fetal_iqa_training.experiments.tables.systems import Row
from fetal_iqa_training.fitting.pretrained import find_pretrained
from fetal_iqa_training.settings import FitSettings, LoggerName

if TYPE_CHECKING:
    from fetal_iqa_training.data.fit_data import FitData

AT_RANDOM = "-at-random"
"""Folders of rows whose encoders started at random end so."""


def stand_in_ending(encoder: str) -> str:
    """Return what folders of rows end in that were run with another encoder than their own."""
    return f"-as-{encoder}"


Weights = Mapping[str, Path | None]
"""File of each encoder's pretrained weights; None for one that starts at random."""


@dataclass(frozen=True)
class Plan:
    """What all rows of an experiment have in common.

    Parameters
    ----------
    data : Path
        Data set folder.
    out : Path
        Folder of the results; the models go into ``models`` in it and serve all experiments.
    runs : int
        Fits of each row, with one seed after the other, on one split.
    common : FitSettings
        Task, encoder, strategy and LoRA are each row's own, the seed that of the first run.
    given_weights : mapping of str to Path
        Files of pretrained weights by encoder, in place of those fetched before.
    from_scratch : bool
        Start all encoders at random.
    split, prepared : Path, optional
        List of who is in which part, or frames that were built ahead with their own list; without
        either the seed decides.
    stand_in : str, optional
        A small encoder that takes the place of every row's, at random: a trial, no result.
    loggers : tuple of str
        Where the losses of every run are noted, beside its CSV file.
    """

    data: Path
    out: Path
    runs: int
    common: FitSettings
    given_weights: Mapping[str, Path] = field(default_factory=dict)
    from_scratch: bool = False
    split: Path | None = None
    prepared: Path | None = None
    stand_in: str | None = None
    loggers: tuple[LoggerName, ...] = ()

    @property
    def seeds(self) -> range:
        """One seed a run."""
        return range(self.common.seed, self.common.seed + self.runs)

    @property
    def split_seed(self) -> int:
        """Of the one split of all runs."""
        chosen = self.common.split_seed
        return self.common.seed if chosen is None else chosen

    @property
    def listed(self) -> Path | None:
        """The list of who is in which part; None where the seed decides."""
        return self.split or (self.prepared and self.prepared / SPLIT)

    def encoder_of(self, row: Row) -> str:
        """Name of the encoder that a row is run with."""
        return self.stand_in or row.encoder

    def settings_of(self, row: Row, seed: int) -> FitSettings:
        """Settings of one run of a row."""
        own = {
            "task": row.task,
            "encoder": self.encoder_of(row),
            "strategy": row.strategy,
            "lora": row.lora,
            "recipe": row.recipe,
            "seed": seed,
            "split_seed": self.split_seed,
        }
        return self.common.model_copy(update=own)

    def folder_of(self, row: Row, seed: int) -> Path:
        """Model folder of one run of a row; the same for every experiment."""
        return self.out / "models" / (row.name + self.ending) / f"seed-{seed}"

    @property
    def ending(self) -> str:
        """What the folders of rows end in, by what their runs start from."""
        if self.stand_in:
            return stand_in_ending(self.stand_in)
        return AT_RANDOM if self.from_scratch else ""

    def adapter_of(self, row: Row, seed: int) -> Path | None:
        """Model folder whose adapter a run of a row starts from; None where it starts at random."""
        if row.starts_from is None:
            return None
        own = self.folder_of(row, seed)
        ending = own.parent.name.removeprefix(row.name)
        return own.parent.with_name(row.starts_from + ending) / own.name

    def data_of(self, row: Row) -> "FitData":
        """Data of every run of a row.

        Raises
        ------
        SweepError, TrainingError
            Where the data cannot be used.
        """
        from fetal_iqa_training.data.fit_data import choose_data  # brings torch

        settings = self.settings_of(row, self.common.seed)
        return choose_data(self.data, settings, self.split, self.prepared)

    def split_cases(self) -> CaseSplit:
        """Cases for training, validation and test: those of every run of every row.

        Raises
        ------
        SweepError, TrainingError
            Where the data cannot be used, or there is no test part to judge by.
        """
        from fetal_iqa_training.data.fit_data import choose_data  # brings torch

        settings = self.settings_of(CLS, self.common.seed)
        cases = choose_data(self.data, settings, self.listed).cases
        if not cases.test:
            raise TrainingError("experiments are judged on the test part: give it a share")
        return cases


def find_weights(plan: Plan, rows: Iterable[Row], store: Path) -> Weights:
    """Find the pretrained weights of all rows before anything is trained.

    Parameters
    ----------
    plan : Plan
    rows : iterable of Row
    store : Path
        Folder of the weights that were fetched or imported.

    Raises
    ------
    TrainingError
        Names all encoders whose weights are not here.
    ModelError
        Where weights are given for an encoder that there is not.
    """
    for name in plan.given_weights:
        encoder_spec(name)  # raises where there is none: a slip would choose other weights
    encoders = list(dict.fromkeys(map(plan.encoder_of, rows)))
    if plan.stand_in or plan.from_scratch:
        return dict.fromkeys(encoders)
    found: dict[str, Path | None] = {}
    missing: list[str] = []
    for encoder in encoders:
        if given := plan.given_weights.get(encoder):
            if not given.is_file():
                raise TrainingError(f"{given}: no such file; name the weights of {encoder} again")
            found[encoder] = given
            continue
        try:
            found[encoder] = find_pretrained(encoder, store)
        except TrainingError:
            missing.append(encoder)
    if missing:
        raise TrainingError(_missing(missing))
    return found


def _missing(encoders: Sequence[str]) -> str:
    commands = "; ".join(f"napari-fetal-iqa weights fetch {name}" for name in encoders)
    return (
        f"the pretrained weights of {', '.join(encoders)} are not here: fetch them with "
        f"`{commands}`, name files with --weights NAME=FILE, choose other rows with "
        "--rows, or start at random with --from-scratch"
    )
