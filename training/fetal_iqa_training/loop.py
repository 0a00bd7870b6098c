"""The training loop: Lightning's Trainer, set up for one device, with progress and best epoch."""

import logging
import warnings
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch.utils.data import DataLoader

from fetal_iqa_models import choose_device
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.learner import FrameLearner
from fetal_iqa_training.progress import Progress, Report
from fetal_iqa_training.settings import Precision, RunSettings

logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # it greets at every run
logger = logging.getLogger(__name__)


class _Reporting(Callback):
    """Tell the listener of every step and every validation."""

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
            figures = dict(learner.validation[-1])
            total = int(trainer.estimated_stepping_batches)
            loss = figures.pop("loss")
            self._report(Progress("validation", trainer.global_step, total, loss, figures))


def choose_precision(precision: Precision, device: str) -> Literal["bf16-mixed", "32-true"]:
    """Give Lightning's name of a precision; auto is bf16 where the device has it.

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
    validation: DataLoader | None,
    folder: Path,
    settings: RunSettings,
    *,
    epochs: int,
    report: Report,
) -> None:
    """Train a learner in place; with validation frames it ends with its best epoch's weights.

    Parameters
    ----------
    learner : FrameLearner
    training, validation : DataLoader
        Without validation the last weights stay.
    folder : Path
        For the checkpoints that are kept where there is validation; the last one of a run that
        was cut off is gone on with, unless it is damaged.
    settings : RunSettings
    epochs : int
        Passes over ``training``.
    report : callable
        Hears of each step and validation.

    Raises
    ------
    DeviceError
        Where the device is not there.
    TrainingError
        Where the process was interrupted or told to end.
    """
    lightning.seed_everything(settings.seed, verbose=False)
    chosen = choose_device(settings.device).type
    callbacks: list[Callback] = [_Reporting(report)]
    last = _checkpoint_to_go_on_with(folder)
    if validation is not None:
        best = ModelCheckpoint(
            folder, "best", monitor="val_loss", save_last=True, enable_version_counter=False
        )
        callbacks.append(best)
    trainer = lightning.Trainer(
        accelerator=chosen,
        devices=1,
        precision=choose_precision(settings.precision, chosen),
        max_epochs=epochs,
        gradient_clip_val=settings.gradient_clip,
        deterministic=chosen == "cpu",
        callbacks=callbacks,
        enable_checkpointing=validation is not None,
        logger=False,
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
            trainer.fit(
                learner,
                training,
                validation,
                ckpt_path=last,
                weights_only=True,
            )
        except SystemExit:  # Lightning ends a terminated run as if it had succeeded
            raise TrainingError("stopped before the end: no model was written") from None
    if validation is not None:
        kept = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
        learner.load_state_dict(kept["state_dict"], strict=False)
    learner.cpu().eval()


def _checkpoint_to_go_on_with(folder: Path) -> Path | None:
    """Find the last epoch's checkpoint; where it or the best one is damaged, drop both."""
    last, best = folder / "last.ckpt", folder / "best.ckpt"
    if not last.exists():
        return None
    damaged = next((path for path in (last, best) if not _is_checkpoint(path)), None)
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
