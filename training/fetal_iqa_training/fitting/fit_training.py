"""The training of a fit: which frames an epoch has, in which order, by which learner."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import JsonValue
from torch.utils.data import DataLoader, Dataset

from fetal_iqa_models.networks import Network
from fetal_iqa_training.data.fixed_copies import CopiesDataset
from fetal_iqa_training.data.frame_set import FrameDataset, FrameSet
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.frozen_encoder import HeadLearner, encode, has_frozen_encoder
from fetal_iqa_training.fitting.loggers import Logs
from fetal_iqa_training.fitting.losses import positive_weight
from fetal_iqa_training.fitting.module import FrameLearner
from fetal_iqa_training.fitting.samplers import BalancedSampler, BatchShard, EveryFrame
from fetal_iqa_training.fitting.stopping import Stopped, leave_interrupts
from fetal_iqa_training.fitting.trainer import Schedule, run_training
from fetal_iqa_training.progress import Report
from fetal_iqa_training.settings import FitSettings
from fetal_iqa_training.transforms.augmentation import PAPER
from fetal_iqa_training.transforms.cheap_probe import CheapProbe


class Trained(NamedTuple):
    """What a training found: the best epoch's metrics, and when somebody ended it early."""

    validation: dict[str, JsonValue]
    stopped: Stopped | None


def train(
    network: Network,
    frames: FrameSet,
    validation: FrameSet,
    settings: FitSettings,
    folders: tuple[Path, Path],
    schedule: Schedule,
    report: Report,
    logs: Logs | None,
    learner: FrameLearner | None = None,
) -> Trained:
    """Train a network in place; it ends with the weights of the best epoch.

    Parameters
    ----------
    network : FrameClassifier or FrameSegmenter
    frames, validation : FrameSet
    settings : FitSettings
    folders : (Path, Path)
        This process's own, and that of the checkpoints, which all share.
    schedule : Schedule
    report : callable
    logs : Logs, optional
    learner : FrameLearner, optional
        Of the network; it may teach another one beside.

    Raises
    ------
    TrainingError
        Where there are too few frames for a batch that the recipe asks for, or the training was
        cut off or did not converge.
    """
    own, work = folders
    training: Dataset[Any]
    looked_at: Dataset[Any]
    # copies that each epoch makes anew are seen anew, whatever is trained: so that all strategies
    # of a table learn from the same frames
    frozen = learner is None and has_frozen_encoder(network)
    if frozen and not (settings.copies and settings.fresh_copies):
        learner = HeadLearner(network, settings)
        training, looked_at = (
            encode(learner, part, 0, settings, own / f"{name}-features", report)
            for name, part in (("training", frames), ("validation", validation))
        )
        sampler: EveryFrame | BalancedSampler = EveryFrame(len(training), 0, settings.seed)
    elif frames.copies:
        learner = learner or FrameLearner(network, settings)
        training, looked_at = CopiesDataset(frames), FrameDataset(validation)
        sampler = EveryFrame(len(frames) * (1 + len(frames.copies)), 0, settings.seed)
    else:
        learner = learner or FrameLearner(network, settings)
        change = CheapProbe() if settings.augmentation == "cheap-probe" else PAPER
        training, looked_at = FrameDataset(frames, change), FrameDataset(validation)
        if settings.balanced:
            kinds = np.flatnonzero(frames.positive), np.flatnonzero(~frames.positive)
            sampler = BalancedSampler(kinds, settings.balanced, settings.seed)
        else:
            sampler = EveryFrame(len(frames), settings.copies, settings.seed)
    published = settings.recipe == "published"
    if published and len(sampler) < settings.batch_size:
        raise TrainingError(
            f"{len(sampler)} frames and copies, and the published recipe drops a batch of less "
            f"than {settings.batch_size}: add cases, or choose a smaller --batch-size"
        )
    learner.positive_weight = positive_weight(settings.class_weights, frames.positive)
    stopped = run_training(
        learner,
        DataLoader(
            training,
            batch_size=settings.batch_size // schedule.processes,
            sampler=BatchShard(sampler, settings.batch_size, drop_last=published),
            num_workers=settings.workers,
            persistent_workers=settings.workers > 0,
            worker_init_fn=leave_interrupts,
        ),
        DataLoader(looked_at, batch_size=settings.batch_size),
        work,
        settings,
        schedule,
        report,
        logs,
    )
    return Trained(learner.best_validation(), stopped)
