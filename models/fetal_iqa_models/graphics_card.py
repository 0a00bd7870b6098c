"""Whether this machine may have a graphics card that torch computes on, asked without torch."""

import ctypes
import platform
import sys

_DRIVERS = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}


def may_have_graphics_card() -> bool:
    """Return whether torch is worth asking: for a CUDA device, or for Apple's own."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    try:
        driver = ctypes.CDLL(_DRIVERS[sys.platform])
    except (KeyError, OSError):
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 < count.value
