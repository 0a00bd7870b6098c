"""Where the losses of a training are noted: a CSV file always, others' trackers where asked."""

import csv
import os
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

_PACKAGES: dict[LoggerName, dict[str, str]] = {
    "tensorboard": {"tensorboard": "tensorboard"},
    "mlflow": {"mlflow": "mlflow"},
    "wandb": {"wandb": "wandb"},
}
"""By tracker: what is imported, and what to install for it."""
_MLFLOW_DATABASE = {"sqlalchemy": "mlflow", "alembic": "mlflow"}  # mlflow-skinny lacks both
_MLFLOW_SERVER = "MLFLOW_TRACKING_URI"  # MLflow's own variable; Lightning reads it, too
_TRACKERS = "trackers"
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
        # a run that was cut off in its first epoch left a folder, and nothing in it
        while (self.folder / name / METRICS_FILE).exists():
            number += 1
            name = f"{self.run}{_AGAIN}{number}"
        made: list[Logger] = [loggers.CSVLogger(self.folder, "", name)]
        of_others = (self.folder / _TRACKERS).resolve()  # beside the runs, which may be called so
        for kind in self.kinds:
            of_others.mkdir(parents=True, exist_ok=True)
            if kind == "tensorboard":
                made.append(loggers.TensorBoardLogger(of_others / kind, "", name))
            elif kind == "mlflow":
                # MLflow 3 writes no files any more, but a database
                served = os.environ.get(_MLFLOW_SERVER)
                made.append(
                    loggers.MLFlowLogger(
                        self.folder.parent.resolve().name,
                        name,
                        tracking_uri=served or f"sqlite:///{(of_others / 'mlflow.db').as_posix()}",
                        artifact_location=None if served else (of_others / kind).as_uri(),
                    )
                )
            else:
                title = f"{self.folder.parent.resolve().name}-{name}"
                made.append(loggers.WandbLogger(title, str(of_others), project="fetal-iqa"))
        return made


def close_loggers(made: Sequence["Logger"]) -> None:
    """End the runs of trackers which would else take the next run for more of the same."""
    if any(type(one).__name__ == "WandbLogger" for one in made):
        import wandb

        wandb.finish()


def check_loggers(kinds: Sequence[LoggerName]) -> None:
    """Refuse trackers that cannot be used, before anything is computed.

    Raises
    ------
    TrainingError
        Where a package is missing, or Weights & Biases knows no account.
    """
    for kind in kinds:
        needed = _PACKAGES[kind]
        if kind == "mlflow" and not os.environ.get(_MLFLOW_SERVER):
            needed = needed | _MLFLOW_DATABASE
        for module, package in needed.items():
            if find_spec(module) is None:
                raise TrainingError(
                    f"--logger {kind} needs the package {package}, which is not installed: "
                    f"`pip install {package}`, or leave it away; the CSV file is always written"
                )
    if "wandb" in kinds:
        _check_wandb_account()


def _check_wandb_account() -> None:
    """Ask Weights & Biases itself, which asks on a terminal for what it lacks."""
    import wandb

    if os.environ.get("WANDB_MODE", "online") not in ("online", "shared"):
        return
    try:
        wandb.login()
    except wandb.errors.UsageError as error:
        raise TrainingError(
            f"--logger wandb: {str(error).rstrip('.')}; or set WANDB_MODE=offline, and it writes "
            "into the folder of the logs"
        ) from None


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
