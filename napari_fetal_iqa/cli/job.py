"""One sweep after the other through the same models, from file to result files."""

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import typer
from tqdm import tqdm

from napari_fetal_iqa.analysis import (
    Analyser,
    Analysis,
    AnalysisSetup,
    cache,
    coarse_to_fine,
    write_results,
)
from napari_fetal_iqa.analysis.files import named_models, notices, summary
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.sweep import SweepVolume


class AnalysisJob:
    """Analyses sweeps and writes their results; loads the models only if it must.

    Parameters
    ----------
    setup : AnalysisSetup
        Who shall speak.
    load : callable
        Gives the analyser of these models.
    out : Path
        Folder of the results.
    overwrite : bool
        Compute again what is cached or written already.
    """

    def __init__(
        self,
        setup: AnalysisSetup,
        load: Callable[[], Analyser],
        out: Path,
        overwrite: bool = False,
    ) -> None:
        self._setup = setup
        self._load = load
        self._out = out
        self._overwrite = overwrite

    @cached_property
    def _analyser(self) -> Analyser:
        analyser = self._load()
        models = ", ".join(model.id for model in analyser.setup.models)
        typer.echo(f"{models} on {analyser.setup.device}, {analyser.setup.precision}")
        return analyser

    def run(self, sweep: SweepVolume, frames: Sequence[int] | None = None) -> None:
        """Analyse a sweep, or some of its frames, and write what came of it."""
        folder = self._folder(sweep)
        if frames is None and not self._overwrite and self._is_done(folder, sweep):
            typer.echo(f"{sweep.name}: done already, in {folder}")
            return
        analysis = self._analyse(sweep, frames)
        write_results(analysis, folder)
        typer.echo(f"{verdict(analysis)} Results in {folder}")

    def _analyse(self, sweep: SweepVolume, frames: Sequence[int] | None) -> Analysis:
        """Analyse with a progress bar where standard error is a terminal."""
        if frames is None and not self._overwrite:
            cached = cache.recall(sweep, self._setup)
            if cached is not None:
                return cached
        order = coarse_to_fine(len(sweep)) if frames is None else frames
        foreign = [frame for frame in order if frame >= len(sweep)]
        if foreign:
            raise FetalIqaError(f"{sweep.name} has frames 0 to {len(sweep) - 1}, not {foreign[0]}")
        analysis = Analysis(sweep, self._analyser.setup)
        with tqdm(total=len(order), desc=sweep.name, unit="frame", disable=None) as bar:
            for results in self._analyser.run(sweep, order):
                analysis.add(results)
                bar.update(len(results.frames))
        cache.keep(analysis)
        return analysis

    def _folder(self, sweep: SweepVolume) -> Path:
        """Choose the folder of a sweep; another sweep of the same name keeps its own."""
        folder = self._out / sweep.name
        other = _summary(folder)
        if other and other.get("content_hash") != sweep.identity:
            folder = self._out / f"{sweep.name}-{sweep.identity[:8]}"
        return folder

    def _is_done(self, folder: Path, sweep: SweepVolume) -> bool:
        said = _summary(folder)
        return (
            said is not None
            and said.get("frames_analysed") == len(sweep)
            and said.get("models") == named_models(self._setup)
        )


def verdict(analysis: Analysis) -> str:
    """Say the result in one line."""
    facts = summary(analysis)
    best = facts["best_frame"]
    if best < 0:
        said = f"{facts['name']}: no frame shows the abdomen"
    else:
        sweep, frame_in_sweep = analysis.sweep.locate(best)
        said = f"{facts['name']}: best frame {best} (sweep {sweep + 1}, frame {frame_in_sweep})"
        if facts["best_frame_ac_mm"] is not None:
            said += f", AC {facts['best_frame_ac_mm']:.1f} mm"
        if facts["gestational_age"]:
            said += f", {facts['gestational_age']}"
    return f"{said}. {' '.join(notices(analysis))}"


def _summary(folder: Path) -> dict[str, Any] | None:
    try:
        said = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None
