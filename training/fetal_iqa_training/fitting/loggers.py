"""Where the losses of a training are noted: a CSV file always, others' trackers where asked."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.settings import LoggerName

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

METRICS_FILE = "metrics.csv"
"""Of Lightning's CSVLogger: a line per epoch with its losses and metrics."""

_PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
_AGAIN = "-again-"


@dataclass(frozen=True)
class Logs:
    """Where a run is logged.

    Parameters
    ----------
    folder : Path
        Of the logs of several runs.
    run : str
        The run's name: its folder in ``folder``, and what trackers call it.
    kinds : tuple of str
        Beside the CSV file.
    """

    folder: Path
    run: str
    kinds: tuple[LoggerName, ...] = ()

    def loggers(self) -> list["Logger"]:
        """Make Lightning's loggers; a run that goes on gets a folder of its own for the rest."""
        from lightning.pytorch import loggers

        name, number = self.run, 1
        while (self.folder / name).exists():
            number += 1
            name = f"{self.run}{_AGAIN}{number}"
        made: list[Logger] = [loggers.CSVLogger(self.folder, "", name)]
        for kind in self.kinds:
            if kind == "tensorboard":
                made.append(loggers.TensorBoardLogger(self.folder / kind, "", name))
            elif kind == "mlflow":
                made.append(
                    loggers.MLFlowLogger(
                        self.folder.parent.name, name, save_dir=str(self.folder / kind)
                    )
                )
            else:
                title = f"{self.folder.parent.name}-{name}"
                made.append(loggers.WandbLogger(title, str(self.folder), project="fetal-iqa"))
        return made


def check_loggers(kinds: Sequence[LoggerName]) -> None:
    """Refuse trackers whose package is missing, before anything is computed.

    Raises
    ------
    TrainingError
    """
    for kind in kinds:
        package = _PACKAGES[kind]
        if find_spec(package) is None:
            raise TrainingError(
                f"--logger {kind} needs the package {package}, which is not installed: "
                f"`pip install {package}`, or leave it away; the CSV file is always written"
            )


@dataclass(frozen=True)
class EpochLosses:
    """The mean training loss of an epoch, and the validation loss after it."""

    epoch: int
    training: float | None
    validation: float | None


def read_losses(logs: Logs) -> list[EpochLosses]:
    """Read what the CSV files of a run say, epoch by epoch; of an epoch made twice the later."""
    found: dict[int, dict[str, float]] = {}
    for path in _files(logs):
        with path.open(newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file):
                of_epoch = found.setdefault(int(line["epoch"]), {})
                for name in ("train_loss", "val_loss"):
                    if line.get(name):
                        of_epoch[name] = float(line[name])
    return [
        EpochLosses(epoch, losses.get("train_loss"), losses.get("val_loss"))
        for epoch, losses in sorted(found.items())
    ]


def _files(logs: Logs) -> Iterator[Path]:
    name, number = logs.run, 1
    while (path := logs.folder / name / METRICS_FILE).is_file():
        yield path
        number += 1
        name = f"{logs.run}{_AGAIN}{number}"
