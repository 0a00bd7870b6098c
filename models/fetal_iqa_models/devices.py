"""The device that the networks run on."""

import torch

from fetal_iqa_models.errors import DeviceError

DEVICES = ("auto", "cuda", "mps", "cpu")


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; for ``"auto"`` the first there is of CUDA, MPS and CPU.

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
    return torch.device(name)
