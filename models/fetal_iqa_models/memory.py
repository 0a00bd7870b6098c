"""Memory of the devices: to recognise that it is too short, to free some, to keep some."""

import ctypes
import sys
from functools import cache

import torch

# in turn: CUDA and MPS; the CPU's allocator on Linux and on Windows; two libraries of CUDA
_PHRASES = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)


def is_out_of_memory(error: Exception) -> bool:
    """Return whether it was memory that an operation lacked, on whatever device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in message for phrase in _PHRASES)


def empty_cache(device: torch.device) -> None:
    """Free what torch keeps of a GPU's memory without using it."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


# of glibc's malloc.h: what to set, and to what
_M_TRIM_THRESHOLD = (-1, 512 * 2**20)  # bytes free at the heap's end that may stay there
_M_MMAP_MAX = (-4, 0)  # blocks that are the kernel's own, and go back to it when freed


@cache
def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, up to 512 MB, for what it needs next.

    Each step of a network takes and frees the same large blocks. glibc gives each of them back to
    the kernel at once, which has to fill it with zeros anew for the next step: half of the time
    of a small network on the CPU (``benchmarks/kept_memory.py``). Without glibc this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    malloc_settings = getattr(ctypes.CDLL(None), "mallopt", None)
    if malloc_settings is not None:
        for option, value in (_M_TRIM_THRESHOLD, _M_MMAP_MAX):
            malloc_settings(option, value)
