"""The temperature of a classifier by what experts said of frames that did not teach it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_models import ModelCard, load_model
from fetal_iqa_models.cards import Taught
from fetal_iqa_models.taught import Thing
from fetal_iqa_training.data.correction_set import read_correction_set
from fetal_iqa_training.data.corrections import contents_of, corrected_frames
from fetal_iqa_training.data.frame_set import DataHash
from fetal_iqa_training.data.hold_out import things_of
from fetal_iqa_training.data.labelled_frames import LabelledFrames
from fetal_iqa_training.data.shared_frames import frame_contents
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.calibrate_model import card_to_calibrate, write_calibrated
from fetal_iqa_training.evaluation.evaluate import judge
from fetal_iqa_training.evaluation.known_frames import JudgedOn
from fetal_iqa_training.progress import Report, silent
from napari_fetal_iqa.corrections.corrected_sweeps import CorrectedSweep
from napari_fetal_iqa.corrections.sweep_finder import SweepFinder
from napari_fetal_iqa.storage import paths


def calibrate_on_corrections(
    model: Path | str,
    stores: Sequence[Path],
    out: Path,
    *,
    sweep_folders: Sequence[Path] = (),
    encoder_weights: Path | None = None,
    device: str = "auto",
    command: str = "",
    report: Report = silent,
) -> ModelCard:
    """Write a classifier anew with the temperature that corrections show; no decision changes.

    As :func:`~fetal_iqa_training.evaluation.calibrate_model.calibrate`, on the corrected frames
    of a store. What is held out to judge models stays so, and what taught the model or an
    ancestor is left out: it is surer of that than of other frames.

    Parameters
    ----------
    model : path or str
        Model folder or the name of a shipped one; it becomes the parent.
    stores : sequence of Path
        Corrections stores.
    out : Path
        Model folder to make.
    sweep_folders : sequence of Path
        Where to look for sweeps that were moved.
    encoder_weights : Path, optional
        Where the model folder does not hold its encoder; else those fetched before.
    device : {"auto", "cuda", "mps", "cpu"}
    command : str
        Noted in the card.
    report : callable, optional

    Raises
    ------
    ModelError, StoreError, SweepError, TrainingError
        Where ``out`` exists, the model is a segmenter, a sweep is not found, or the frames tell
        no temperature.
    """
    old = card_to_calibrate(model, out)
    network = load_model(model, encoder_weights, paths.weights())
    assert network.hash is not None
    lineage = old.lineage(network.hash)
    corrections = read_correction_set(stores, "cls", taught=lineage)
    finder, seen = SweepFinder(sweep_folders), DataHash()
    training = corrections.split.training
    finder.check([sweep.record for sweep in training])
    held = (*corrections.split.hold_out, *corrections.split.set_aside)
    finder.check([sweep.record for sweep in held])
    of_held = {content for sweep in held for content in _contents(sweep, finder)}
    named = {sweep.record.identity: _names(sweep, finder) for sweep in training}
    usable = []
    for sweep in training:
        frames = _contents(sweep, finder)
        names = [*named[sweep.record.identity], *(("frames", content) for content in frames)]
        # what is held out under another name, or as a part, does not choose a temperature either
        if frames.isdisjoint(of_held) and not lineage.learnt_from(names):
            usable.append(sweep)
    if not usable:
        raise TrainingError(_nothing_left(training, lineage))

    def corrected() -> Iterator[LabelledFrames]:
        for sweep in usable:
            for source in corrected_frames(sweep, finder.find(sweep.record), "cls"):
                seen.take_in(source)
                yield source

    judged = judge(network, corrected(), device=device, report=report)
    what = f"corrected frames of {len(usable)} sweeps, without those held out"
    lacking = any(lineage.may_lack(things_of(sweep)) for sweep in usable)
    judged_on = JudgedOn(what, judged.frames, 0, 0, lineage.known, not lacking)
    calibrated_on: dict[str, JsonValue] = {
        "data": "corrections",
        "data_hash": seen.hexdigest(),
        "split": None,
        **judged_on.as_json(),
    }
    chose = [thing for sweep in usable for thing in named[sweep.record.identity]]
    return write_calibrated(model, out, judged, calibrated_on, chose, command)


def _names(sweep: CorrectedSweep, finder: SweepFinder) -> list[Thing]:
    contents = contents_of(sweep, finder.find(sweep.record))
    return [*things_of(sweep), *(("frames", content) for content in contents)]


def _contents(sweep: CorrectedSweep, finder: SweepFinder) -> set[str]:
    return set(frame_contents(finder.find(sweep.record).frames))


def _nothing_left(training: Sequence[CorrectedSweep], lineage: Taught) -> str:
    if training and lineage.learnt:
        return (
            "all corrected frames taught the model or an ancestor, or are held out to judge: "
            "correct frames of another sweep"
        )
    return (
        "no corrected frames to calibrate by; one subject in five is held out: label some frames "
        "of another sweep"
    )
