"""Which of several processes of one training this is; known without loading torch."""

import os


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
