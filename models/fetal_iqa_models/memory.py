"""When a device's memory is too short: how to recognise it, and how to free some."""

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
