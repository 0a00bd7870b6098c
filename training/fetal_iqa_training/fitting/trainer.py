"""The training loop: Lightning's Trainer on one device or several, with progress and best epoch."""

import logging
import os
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader

from fetal_iqa_models import choose_device
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.loggers import Logs, close_loggers
from fetal_iqa_training.fitting.module import FrameLearner
from fetal_iqa_training.fitting.processes import check_shares, rank, under_torchrun
from fetal_iqa_training.fitting.stopping import Interrupts, Stopped, Stopping
from fetal_iqa_training.progress import Progress, Report
from fetal_iqa_training.settings import Precision, RunSettings

logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # it greets at every run
logger = logging.getLogger(__name__)


class _Reporting(Callback):
    """Report every step and every validation."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def on_train_batch_end(
        self, trainer: lightning.Trainer, learner: Any, outputs: Any, batch: Any, index: int
    ) -> None:
        total = int(trainer.estimated_stepping_batches)
        loss = float(outputs["loss"].detach())
        self._report(Progress("step", trainer.global_step, total, loss))

    def on_validation_end(self, trainer: lightning.Trainer, learner: Any) -> None:
        if learner.validation:
            metrics = dict(learner.validation[-1])
            total = int(trainer.estimated_stepping_batches)
            loss = metrics.pop("loss")
            self._report(Progress("validation", trainer.global_step, total, loss, metrics))


@dataclass(frozen=True)
class Schedule:
    """How long a training goes on, and where.

    Parameters
    ----------
    epochs : int, optional
        Passes over the training frames.
    steps : int, optional
        Instead of ``epochs``.
    keep_best : bool
        End with the weights of the epoch with the lowest validation loss, not with the last.
    patience : int, optional
        Epochs without a lower validation loss after which it ends.
    stop_file : Path, optional
        It ends in good order once this file is there.
    stop_on_interrupt : bool
        The first Ctrl-C ends it in good order, too.
    devices, num_nodes : int
        Processes on each machine, and machines. Under torchrun its own numbers count.
    """

    epochs: int | None = None
    steps: int | None = None
    keep_best: bool = True
    patience: int | None = None
    stop_file: Path | None = None
    stop_on_interrupt: bool = False
    devices: int = 1
    num_nodes: int = 1

    @property
    def spread(self) -> tuple[int, int]:
        """Processes on each machine, and machines."""
        if under_torchrun():
            local = int(os.environ["LOCAL_WORLD_SIZE"])
            return local, int(os.environ["WORLD_SIZE"]) // local
        return self.devices, self.num_nodes

    @property
    def processes(self) -> int:
        """All processes together."""
        return self.spread[0] * self.spread[1]

    def check_shares(self, batch_size: int) -> None:
        """Refuse batches that the processes cannot share evenly.

        Raises
        ------
        TrainingError
        """
        check_shares(batch_size, self.processes)


def choose_precision(precision: Precision, device: str) -> Literal["bf16-mixed", "32-true"]:
    """Return Lightning's name of a precision; auto is bf16 where the device has it.

    Parameters
    ----------
    precision : {"auto", "bf16", "fp32"}
    device : {"cuda", "mps", "cpu"}
    """
    if precision == "auto":
        has_bf16 = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16" if has_bf16 else "fp32"
    return "bf16-mixed" if precision == "bf16" else "32-true"


def run_training(
    learner: FrameLearner,
    training: DataLoader,
    validation: DataLoader,
    folder: Path,
    settings: RunSettings,
    schedule: Schedule,
    report: Report,
    logs: Logs | None = None,
) -> Stopped | None:
    """Train a learner in place; say when, where somebody ended it before its end.

    With several processes each of them calls this, and all end with the same weights. These are
    those of one process, but for rounding, where they share every batch evenly (of an epoch's last
    one a rest is left out), nothing is drawn in the network and no layer takes statistics of a
    batch (or CUDA shares them): each process draws a dropout of its own,
    and on the CPU a batch norm sees the process's own part of the batch.

    Parameters
    ----------
    learner : FrameLearner
    training, validation : DataLoader
    folder : Path
        For the checkpoints of every epoch; the last one of a run that was cut off is gone on
        with, unless it is damaged.
    settings : RunSettings
    schedule : Schedule
    report : callable
        Hears of each step and validation.
    logs : Logs, optional
        Where the losses of every epoch are noted.

    Raises
    ------
    DeviceError
        Where the device is not there.
    TrainingError
        Where the process was interrupted or terminated, or the weights are no numbers.
    """
    lightning.seed_everything(settings.seed, verbose=False)
    chosen = choose_device(settings.device).type
    callbacks: list[Callback] = [_Reporting(report)] if rank() == 0 else []
    last = _checkpoint_to_go_on_with(folder)
    best = ModelCheckpoint(
        folder,
        "best",
        monitor="val_loss" if schedule.keep_best else None,
        save_last=True,
        save_on_train_epoch_end=False,  # a run that was cut off goes on after a validation
        enable_version_counter=False,  # a run that goes on overwrites best.ckpt
    )
    callbacks.append(best)
    if schedule.patience is not None:
        callbacks.append(EarlyStopping("val_loss", patience=schedule.patience))
    interrupts = Interrupts()
    stopping = Stopping(
        schedule.stop_file, interrupts, [folder / "last.ckpt", folder / "best.ckpt"]
    )
    if schedule.stop_file is not None or schedule.stop_on_interrupt:
        callbacks.append(stopping)
    devices, num_nodes = schedule.spread
    # a net for errors of others, which costs a fill of every new tensor
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    noted = [] if logs is None else logs.loggers()
    trainer = lightning.Trainer(
        accelerator=chosen,
        devices=devices,
        num_nodes=num_nodes,
        strategy="ddp" if schedule.processes > 1 else "auto",
        # statistics of the whole batch, where torch can share them: not on the CPU
        sync_batchnorm=schedule.processes > 1 and chosen == "cuda",
        use_distributed_sampler=False,  # the samplers share the batches themselves
        precision=choose_precision(settings.precision, chosen),
        max_epochs=-1 if schedule.epochs is None else schedule.epochs,
        max_steps=-1 if schedule.steps is None else schedule.steps,
        gradient_clip_val=settings.gradient_clip,
        deterministic=chosen == "cpu",
        callbacks=callbacks,
        logger=noted or False,
        log_every_n_steps=1,  # the losses are of whole epochs, and an epoch may have few steps
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    learner.train()  # Lightning leaves a network that came from a folder without dropout
    with warnings.catch_warnings():
        # advice on loader workers and on checkpoints that are there to be gone on with
        warnings.filterwarnings("ignore", module=r"lightning\.")
        try:
            with interrupts.heard() if schedule.stop_on_interrupt else nullcontext():
                trainer.fit(
                    learner,
                    training,
                    validation,
                    ckpt_path=last,
                    weights_only=True,
                )
        except SystemExit:  # Lightning ends a terminated run as if it had succeeded
            raise TrainingError("stopped before the end: no model was written") from None
        finally:
            close_loggers(noted)
    if schedule.keep_best and best.best_model_path:
        path = stopping.where(folder / "best.ckpt")
        kept = torch.load(path, map_location="cpu", weights_only=True)
        learner.load_state_dict(kept["state_dict"], strict=False)  # frozen weights are not kept
    if trainer.is_global_zero:
        stopping.put_back()
    learner.cpu().eval()
    if not all(parameter.isfinite().all() for parameter in learner.parameters()):
        raise TrainingError(
            "the training did not converge, its weights are no numbers: choose a learning rate "
            f"below {settings.learning_rate:g}"
        )
    return stopping.stopped


def _checkpoint_to_go_on_with(folder: Path) -> Path | None:
    """Find the last epoch's checkpoint; where it or the best one is damaged, drop both."""
    last, best = folder / "last.ckpt", folder / "best.ckpt"
    if not last.exists():
        return None
    kept = [path for path in (last, best) if path.exists()]
    damaged = next((path for path in kept if not _is_checkpoint(path)), None)
    if damaged is None:
        return last
    logger.warning("%s: damaged, so the training starts anew", damaged)
    last.unlink()
    best.unlink(missing_ok=True)
    return None


def _is_checkpoint(path: Path) -> bool:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch raises whatever its parsers meet; nothing in the file is run
        return False
    return isinstance(content, dict) and {"state_dict", "loops", "validation"} <= content.keys()
