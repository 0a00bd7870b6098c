"""Which of several processes of one training this is; known without loading torch."""

import os

from fetal_iqa_training.errors import TrainingError


def rank() -> int:
    """Number of this process in the training; 0 writes and reports.

    From the environment that torchrun and Lightning's own launcher set, so that it is known
    before the processes know each other.
    """
    if "RANK" in os.environ:
        return int(os.environ["RANK"])
    node, devices = int(os.environ.get("NODE_RANK", 0)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return node * devices + int(os.environ.get("LOCAL_RANK", 0))


def under_torchrun() -> bool:
    """Return whether torchrun started this process and says how many there are."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def check_shares(batch_size: int, processes: int) -> None:
    """Refuse batches that processes cannot share evenly.

    Raises
    ------
    TrainingError
    """
    if batch_size % processes:
        raise TrainingError(
            f"batches of {batch_size} frames cannot be shared by {processes} processes; "
            "choose a multiple of them"
        )
