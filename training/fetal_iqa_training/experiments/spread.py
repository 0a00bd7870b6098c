"""One number a run: mean and standard deviation."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over runs; no deviation for one run."""

    mean: float
    std: float | None
    runs: int

    def __str__(self) -> str:
        """Write as tables do: ``0.7570 ± 0.0123``."""
        return f"{self.mean:.4f}" + ("" if self.std is None else f" ± {self.std:.4f}")


def spread(values: Iterable[float]) -> Spread | None:
    """Summarise one number a run; None where there is no run."""
    of_runs = [float(value) for value in values]
    if not of_runs:
        return None
    std = statistics.stdev(of_runs) if len(of_runs) > 1 else None
    return Spread(statistics.fmean(of_runs), std, len(of_runs))
