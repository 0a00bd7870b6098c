"""``--devices N``: the runs of an experiment spread over N processes, a GPU each."""

import os
import subprocess
import sys
from collections.abc import Sequence

from fetal_iqa_training.errors import TrainingError

_OF_SEVERAL = "FETAL_IQA_ONE_OF_SEVERAL"


def is_one_of_several() -> bool:
    """Whether another process of ``--devices`` started this one, and says what came of it all."""
    return _OF_SEVERAL in os.environ


def run_on_devices(n_devices: int, device: str, failures_are_noted: bool = True) -> None:
    """Let N processes of this very command make the runs, and wait for them.

    Each takes the next run that nobody makes, on a GPU of its own where there are GPUs; so a run
    has the weights that it has on one device. A row that fails is noted where the others find it.

    Parameters
    ----------
    n_devices : int
    device : {"auto", "cuda", "mps", "cpu"}
    failures_are_noted : bool
        A process whose rows failed has noted that in the folder of results, and is no error here.

    Raises
    ------
    TrainingError
        Where there are fewer GPUs, or a process ended otherwise than by finished or failed rows.
    """
    visible = _gpus(n_devices, device)
    command = [sys.executable, "-m", "fetal_iqa_training", *sys.argv[1:]]
    environment = os.environ | {_OF_SEVERAL: "1"}
    workers = [
        subprocess.Popen([*command, "--devices", "1", "--runs-only"], env=environment | of_worker)
        for of_worker in visible
    ]
    try:
        codes = [worker.wait() for worker in workers]
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.terminate()
    expected = (0, 1) if failures_are_noted else (0,)
    if odd := [code for code in codes if code not in expected]:
        raise TrainingError(f"a process of --devices ended with code {odd[0]}; see above")


def _gpus(n_devices: int, device: str) -> Sequence[dict[str, str]]:
    """Name the GPU that each process sees; nothing where they share a CPU."""
    import torch

    if device in ("cpu", "mps") or (device == "auto" and not torch.cuda.is_available()):
        return [{}] * n_devices
    there = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = there.split(",") if there else [str(n) for n in range(torch.cuda.device_count())]
    if len(names) < n_devices:
        raise TrainingError(f"--devices {n_devices}, but there are {len(names)} GPUs")
    return [{"CUDA_VISIBLE_DEVICES": name} for name in names[:n_devices]]
