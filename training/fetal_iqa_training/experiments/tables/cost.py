"""What a run costs: seconds and memory, measured while it is fitted."""

import time
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_iqa_training.progress import Progress, Report
from fetal_iqa_training.settings import FitSettings
from napari_fetal_iqa.storage.paths import write_atomically


class Cost(BaseModel):
    """What one run took.

    Parameters
    ----------
    settings : FitSettings
        Of the run.
    seconds : float
        Wall time from reading the data to the metrics of the test part; where the run was cut
        off, of all its parts, each as far as its last whole epoch.
    epoch_seconds : tuple of float
        Of each epoch, with its validation.
    gpu_mib : float, optional
        Most memory that torch had allocated on the CUDA device; None without one.
    process_mib : float, optional
        Most memory of the process, memory-mapped training frames included; None where the
        operating system does not report it (Linux does).
    device : str
        Name of the GPU, or ``cpu``.
    """

    model_config = ConfigDict(frozen=True)

    settings: FitSettings
    seconds: float
    epoch_seconds: tuple[float, ...] = ()
    gpu_mib: float | None = None
    process_mib: float | None = None
    device: str


class CostMeter:
    """Listens to the progress of a fit, passes it on, and keeps what it costs in a file.

    The file is written after every epoch, so that a run that was cut off and goes on is counted
    whole.

    Parameters
    ----------
    path : Path
        JSON file; one of the same settings is gone on with.
    settings : FitSettings
    report : callable
        Hears everything.
    """

    def __init__(self, path: Path, settings: FitSettings, report: Report) -> None:
        before = read_cost(path)
        known = before if before is not None and before.settings == settings else None
        self._path = path
        self._report = report
        self._cost = known or Cost(settings=settings, seconds=0, device=_device(settings.device))
        self._began = self._epoch_began = time.perf_counter()
        _forget_peaks()

    def __call__(self, progress: Progress) -> None:
        """Take an event into account."""
        now = time.perf_counter()
        if progress.event in ("reading", "encoding"):
            self._epoch_began = now
        elif progress.event == "validation":
            self._note(now, (now - self._epoch_began,))
            self._epoch_began = now
        self._report(progress)

    def finish(self) -> Cost:
        """Note the end of the run."""
        self._note(time.perf_counter(), ())
        return self._cost

    def _note(self, now: float, epoch: tuple[float, ...]) -> None:
        gpu = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None
        self._cost = self._cost.model_copy(
            update={
                "seconds": self._cost.seconds + now - self._began,
                "epoch_seconds": self._cost.epoch_seconds + epoch,
                "gpu_mib": _higher(self._cost.gpu_mib, gpu),
                "process_mib": _higher(self._cost.process_mib, _process_peak_mib()),
            }
        )
        self._began = now
        write_atomically(self._path, self._cost.model_dump_json(indent=2) + "\n")


def read_cost(path: Path) -> Cost | None:
    """Read what a run cost; None where nobody noted it."""
    try:
        return Cost.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _device(chosen: str) -> str:
    if chosen in ("auto", "cuda") and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "mps" if chosen != "cpu" and torch.backends.mps.is_available() else "cpu"


def _higher(one: float | None, other: float | None) -> float | None:
    known = [round(value, 1) for value in (one, other) if value is not None]
    return max(known, default=None)


def _forget_peaks() -> None:
    """Begin anew: the peaks are those of this run, not of the one before."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        # 5 sets VmHWM back to the present size (proc(5), Linux 4.0 and later)
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _process_peak_mib() -> float | None:
    """Highest resident size of this process, as Linux counts it; psutil knows no peak there."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    kib = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), None)
    return None if kib is None else int(kib) / 1024
