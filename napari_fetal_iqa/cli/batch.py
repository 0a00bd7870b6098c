"""One sweep after the other through the same models, from file to result files."""

import json
import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import typer
from tqdm import tqdm

from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.analysis import (
    Analyser,
    Analysis,
    AnalysisSetup,
    cache,
    coarse_to_fine,
    write_results,
)
from napari_fetal_iqa.analysis.files import made_from, notices, summary
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.sweep import SweepVolume

logger = logging.getLogger(__name__)


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

    @property
    def loaded(self) -> bool:
        """Whether the models are there; what fails before ends the whole job."""
        return "_analyser" in self.__dict__

    @cached_property
    def _analyser(self) -> Analyser:
        try:
            analyser = self._load()
        except (OSError, MemoryError, RuntimeError) as error:
            raise ModelError(f"the models cannot be loaded: {in_one_line(error)}") from error
        models = ", ".join(model.id for model in analyser.setup.models)
        typer.echo(f"{models} on {analyser.setup.device}, {analyser.setup.precision}")
        return analyser

    def run(self, sweep: SweepVolume, frames: Sequence[int] | None = None) -> None:
        """Analyse a sweep, or some of its frames, and write what came of it.

        What is there at a KeyboardInterrupt is written too, unless complete results would go.
        """
        folder = self._folder(sweep)
        if frames is None and not self._overwrite and self._is_done(folder, sweep):
            typer.echo(f"{sweep.name}: done already, in {folder}")
            return
        if frames is not None and not self._overwrite and _is_complete(_summary(folder)):
            raise AnalysisError(
                f"{folder}: holds the results of all frames of {sweep.name}; give --overwrite to "
                "replace them, or another --out"
            )
        analysis = None
        if frames is None and not self._overwrite:
            analysis = cache.load(sweep, self._setup)
        if analysis is None:
            analysis = self._empty(sweep, frames)
            try:
                self._fill(analysis, frames)
            except KeyboardInterrupt:
                self._stop(analysis, folder)
                raise
        write_results(analysis, folder)
        typer.echo(f"{verdict(analysis)} Results in {folder}")

    def _empty(self, sweep: SweepVolume, frames: Sequence[int] | None) -> Analysis:
        foreign = [frame for frame in frames or () if frame >= len(sweep)]
        if foreign:
            raise AnalysisError(f"{sweep.name} has frames 0 to {len(sweep) - 1}, not {foreign[0]}")
        return Analysis(sweep, self._analyser.setup)

    def _fill(self, analysis: Analysis, frames: Sequence[int] | None) -> None:
        """Analyse with a progress bar where standard error is a terminal."""
        sweep = analysis.sweep
        order = coarse_to_fine(len(sweep)) if frames is None else frames
        with tqdm(total=len(order), desc=sweep.name, unit="frame", disable=None) as bar:
            for results in self._analyser.run(sweep, order):
                analysis.add(results)
                bar.update(len(results.frames))
        cache.save(analysis)

    def _stop(self, analysis: Analysis, folder: Path) -> None:
        """Write what is there, and say so."""
        sweep, done = analysis.sweep, int(analysis.computed.sum())
        said = f"{sweep.name}: stopped after {done} of {len(sweep)} frames"
        if not done:
            typer.echo(said)
        elif _is_complete(_summary(folder)):
            typer.echo(f"{said}; the results of all frames in {folder} stay")
        else:
            write_results(analysis, folder)
            typer.echo(f"{said}; their results are in {folder}")

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
            and _is_complete(said)
            and all(said.get(k) == v for k, v in made_from(sweep, self._setup).items())
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


def in_one_line(error: Exception) -> str:
    """Say an error that nobody foresaw, in one line; the rest goes to the log."""
    logger.debug("details", exc_info=error)
    said = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _is_complete(said: dict[str, Any] | None) -> bool:
    return said is not None and said.get("frames_analysed", -1) == said.get("frames")


def _summary(folder: Path) -> dict[str, Any] | None:
    try:
        said = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None
