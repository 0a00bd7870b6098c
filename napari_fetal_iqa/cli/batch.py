"""One sweep after the other through the same models, from file to result files."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.analysis import (
    Analyser,
    Analysis,
    AnalysisInterruptedError,
    analyse_sweep,
    write_results,
)
from napari_fetal_iqa.analysis.cascade import in_words
from napari_fetal_iqa.analysis.certainty import certainty
from napari_fetal_iqa.analysis.files import folder_name, made_from, notices, summary, try_folder
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.criteria import Verdicts
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.storage.paths import read_small_text
from napari_fetal_iqa.sweep import SweepVolume

logger = logging.getLogger(__name__)


class AnnouncedAnalyser(Analyser):
    """Prints the models and their device once they are loaded; what fails is a ModelError."""

    def load(self) -> Self:
        """Load the networks, unless they are loaded already.

        Raises
        ------
        fetal_iqa_models.ModelError
            One line on why they cannot be loaded.
        """
        if not self.loaded:
            try:
                super().load()
            except (OSError, MemoryError, RuntimeError) as error:
                raise ModelError(f"the models cannot be loaded: {in_one_line(error)}") from error
            models = ", ".join(model.id for model in self.setup.models)
            echo(f"{models} on {self.setup.device} by {self.setup.engine}, {self.setup.precision}")
            if self.setup.cascade is not None:
                echo(f"Outlines: {in_words(self.setup.cascade)}; --cascade off outlines all")
        return self


class AnalysisJob:
    """Analyses sweeps and writes their results; loads the models only if it must.

    Parameters
    ----------
    analyser : Analyser
    out : Path
        Folder of the results.
    overwrite : bool
        Compute again what is cached or written already.
    words_of : callable, optional
        Gives what a reviewer says of the six criteria of a sweep's frames, by its identity; then
        results are written anew, whatever is there.
    """

    def __init__(
        self,
        analyser: Analyser,
        out: Path,
        overwrite: bool = False,
        words_of: Callable[[str], Mapping[int, Verdicts]] | None = None,
    ) -> None:
        self._analyser = analyser
        self._words_of = words_of
        self._out = out
        self._overwrite = overwrite

    def run(self, sweep: SweepVolume, frames: Sequence[int] | None = None) -> None:
        """Analyse a sweep, or some of its frames, and write what came of it.

        What is there at a KeyboardInterrupt is written too, unless complete results would go.
        """
        folder = self._folder(sweep)
        again = self._overwrite or self._words_of is not None
        if frames is None and not again and self._is_done(folder, sweep):
            echo(f"{sweep.name}: done already, in {folder}")
            return
        if frames is not None and not self._overwrite and _is_complete(_summary(folder)):
            raise AnalysisError(
                f"{folder}: holds the results of all frames of {sweep.name}; give --overwrite to "
                "replace them, or another --out"
            )
        try_folder(folder)
        bar = _Bar(sweep.name)
        try:
            analysis = analyse_sweep(
                sweep,
                analyser=self._analyser,
                frames=frames,
                progress=bar,
                found=bar.tell,
                overwrite=self._overwrite,
            )
        except AnalysisInterruptedError as interrupted:
            self._stop(interrupted.analysis, folder)
            raise
        finally:
            bar.close()
        words = self._words_of(sweep.identity) if self._words_of else None
        write_results(analysis, folder, words)
        echo(f"{verdict(analysis)} Results in {folder}")

    def _stop(self, analysis: Analysis, folder: Path) -> None:
        """Write what is there, and report it."""
        sweep, done = analysis.sweep, int(analysis.computed.sum())
        message = f"{sweep.name}: stopped after {done} of {len(sweep)} frames"
        if not done:
            echo(message)
        elif _is_complete(_summary(folder)):
            echo(f"{message}; the results of all frames in {folder} stay")
        else:
            write_results(analysis, folder)
            echo(f"{message}; their results are in {folder}")

    def _folder(self, sweep: SweepVolume) -> Path:
        """Choose the folder of a sweep; another sweep of the same name keeps its own."""
        name = folder_name(sweep.name)
        folder = self._out / name
        other = _summary(folder)
        if other and other.get("content_hash") != sweep.identity:
            folder = self._out / f"{name}-{sweep.identity[:8]}"
        return folder

    def _is_done(self, folder: Path, sweep: SweepVolume) -> bool:
        written = _summary(folder)
        return (
            written is not None
            and _is_complete(written)
            and _outlines_enough(written, self._analyser.setup.cascade)
            and all(written.get(k) == v for k, v in made_from(sweep, self._analyser.setup).items())
        )


class _Bar:
    """A progress bar where standard error is a terminal, once there is something to wait for."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar: tqdm | None = None

    def __call__(self, done: int, total: int) -> None:
        """Move the bar."""
        if self._bar is None:
            if done == total:
                return  # all of it came from the cache
            self._bar = tqdm(total=total, desc=self._name, unit="frame", disable=None)
        self._bar.update(done - self._bar.n)

    def tell(self, analysis: Analysis) -> None:
        """Say which frame is the best so far, and how sure that is."""
        if self._bar is None or self._bar.disable:
            return
        sure = certainty(analysis)
        if sure is not None:
            self._bar.set_postfix_str(f"best so far {sure.best}, {sure.in_ten} stay", refresh=False)

    def close(self) -> None:
        """Leave the bar as it is and start a new line."""
        if self._bar is not None:
            self._bar.close()


def verdict(analysis: Analysis) -> str:
    """Describe the result in one line."""
    facts = summary(analysis)
    best = facts["best_frame"]
    if best < 0:
        result = f"{facts['name']}: no frame shows the abdomen"
    else:
        sweep, frame_in_sweep = analysis.sweep.locate(best)
        result = f"{facts['name']}: best frame {best} (sweep {sweep + 1}, frame {frame_in_sweep})"
        if facts["best_frame_ac_mm"] is not None:
            result += f", AC {facts['best_frame_ac_mm']:.1f} mm"
        if facts["gestational_age"]:
            result += f", {facts['gestational_age']}"
    return f"{result}. {' '.join(notices(analysis))}"


def in_one_line(error: Exception) -> str:
    """Describe an error that nobody foresaw in one line; the rest goes to the log."""
    logger.debug("details", exc_info=error)
    message = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _is_complete(written: dict[str, Any] | None) -> bool:
    return written is not None and written.get("frames_analysed", -1) == written.get("frames")


def _outlines_enough(written: dict[str, Any], bound: float | None) -> bool:
    """Whether results have the outlines that are wanted: of all frames, or from a quality on."""
    cascade = written.get("cascade")
    if cascade is None:
        return True
    return bound is not None and isinstance(cascade, dict) and cascade.get("bound", 1) <= bound


def _summary(folder: Path) -> dict[str, Any] | None:
    """Return the summary that lies in a folder; None where there is none that can be read."""
    try:
        written = json.loads(read_small_text(folder / "summary.json"))
    except (OSError, ValueError, RecursionError):
        return None
    return written if isinstance(written, dict) else None
