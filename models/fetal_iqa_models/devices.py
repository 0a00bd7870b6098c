"""The device that the networks run on."""

import torch

from fetal_iqa_models.errors import DeviceError
from fetal_iqa_models.memory import keep_freed_memory

DEVICES = ("auto", "cuda", "mps", "cpu")


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; for ``"auto"`` the first there is of CUDA, MPS and CPU.

    Whoever computes on the CPU from now on keeps the memory that it frees.

    Parameters
    ----------
    name : "auto", "cuda", "mps" or "cpu"

    Returns
    -------
    torch.device

    Raises
    ------
    DeviceError
        Where there is no such device on this machine.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, is_there in there.items() if is_there)
    if name not in there:
        raise DeviceError(f"no device is called {name!r}; choose one of: {', '.join(DEVICES)}")
    if not there[name]:
        raise DeviceError(f"this machine has no {name} device; choose auto or cpu")
    if name == "cpu":
        keep_freed_memory()
    return torch.device(name)
