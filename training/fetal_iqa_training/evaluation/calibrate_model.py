"""The temperature of a classifier: found on frames that it did not learn from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue
from scipy.special import expit, logit

from fetal_iqa_models import (
    FrameClassifier,
    ModelCard,
    load_card,
    load_model,
    model_hash,
    save_with_card,
)
from fetal_iqa_models.cards import CARD_FILE
from fetal_iqa_models.taught import Thing
from fetal_iqa_training.data.case_identity import things_of_case
from fetal_iqa_training.data.datasets import origin
from fetal_iqa_training.data.frame_set import DataHash, FrameSet
from fetal_iqa_training.data.labelled_frames import LabelledFrames, frames_of
from fetal_iqa_training.data.split import read_split
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.calibration import (
    TEMPERATURES,
    brier_score,
    calibrated,
    expected_calibration_error,
    fit_temperature,
)
from fetal_iqa_training.evaluation.evaluate import Evaluation, judge
from fetal_iqa_training.evaluation.known_frames import Watched, cases_to_judge
from fetal_iqa_training.progress import Report, silent
from fetal_iqa_training.settings import OwnPart
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.version import TOOL_VERSION

_NEAR_A_BOUND = 1.01
"""A bounded search ends beside a bound and never on it; this near counts as there."""


@dataclass(frozen=True)
class Calibration:
    """A temperature, and what it does on the frames that it was found on.

    Parameters
    ----------
    temperature : float
        1 where none could be found.
    errors : dict
        ``ece_before`` and ``brier_before`` of the logits as they are, ``ece`` and ``brier`` at
        the temperature; 4 digits.
    note : str
        For the card.
    """

    temperature: float
    errors: dict[str, JsonValue]
    note: str


def find_temperature(judged: Evaluation) -> float:
    """Find the temperature of a classifier by its logits on frames that it did not learn from.

    Raises
    ------
    TrainingError
        Where all frames are of one kind; where their logits tell them apart without a fault or not
        at all, so that the likelihood has no optimum; or where the most likely temperature makes
        the expected calibration error larger, as of scores that lean to one side.
    """
    temperature = fit_temperature(judged.logits, judged.labels)
    lowest, highest = TEMPERATURES
    if not lowest * _NEAR_A_BOUND < temperature < highest / _NEAR_A_BOUND:
        raise TrainingError(
            f"the {judged.frames} frames to calibrate by are told apart without a fault, or not "
            "at all, so that any temperature would do; calibrate on more frames"
        )
    before, after = (
        expected_calibration_error(calibrated(judged.logits, t), judged.labels)
        for t in (1.0, temperature)
    )
    if after > before:
        raise TrainingError(
            f"no temperature calibrates these scores better than 1: the expected error would go "
            f"from {before:.4f} to {after:.4f}"
        )
    return temperature


def calibrate_on(
    network: FrameClassifier, frames: FrameSet, device: str = "auto", report: Report = silent
) -> Calibration:
    """Find the temperature of a classifier on frames at its own size; it is left unchanged.

    Where none can be found it stays 1, and the note says why.
    """
    source = LabelledFrames("validation", frames.frames, frames.masks, frames.positive)
    judged = judge(network, [source], device=device, report=report)
    try:
        temperature = find_temperature(judged)
        note = "temperature by the validation frames"
    except TrainingError as error:
        temperature, note = 1.0, f"none: {error}"
    return Calibration(temperature, errors_at(judged, temperature), note)


def errors_at(judged: Evaluation, temperature: float) -> dict[str, JsonValue]:
    """Return ``ece`` and ``brier`` at a temperature, and before any as ``_before``; 4 digits."""
    return _errors(judged, temperature) | errors_before(judged)


def errors_before(judged: Evaluation) -> dict[str, JsonValue]:
    """Return ``ece_before`` and ``brier_before`` of a classifier's logits; nothing of masks."""
    if not len(judged.logits):
        return {}
    return {f"{name}_before": value for name, value in _errors(judged, 1.0).items()}


def _errors(judged: Evaluation, temperature: float) -> dict[str, JsonValue]:
    scores = calibrated(judged.logits, temperature)
    return {
        "ece": round(expected_calibration_error(scores, judged.labels), 4),
        "brier": round(brier_score(scores, judged.labels), 4),
    }


def calibrate(
    model: Path | str,
    data: Path,
    out: Path,
    *,
    split: Path | None = None,
    part: OwnPart | None = None,
    encoder_weights: Path | None = None,
    device: str = "auto",
    command: str = "",
    report: Report = silent,
) -> ModelCard:
    """Write a classifier anew with the temperature that some data show; no decision changes.

    The tensors stay as they are. The quality threshold is rewritten for the new temperature, so
    that the same frames count as good; 0.5 stays 0.5.

    Parameters
    ----------
    model : path or str
        Model folder or the name of a shipped one; it becomes the parent.
    data : Path
        Folder in the ACOUSLIC-AI or the HC18 layout. What share of its frames taught the model is
        in the card's ``calibrated_on``.
    out : Path
        Model folder to make.
    split : Path, optional
        List of who is in which part; without it the model's own split decides.
    part : {"training", "validation", "test", "all"}, optional
        Of the split; validation by default, and all of data that hold none of the model's own
        split.
    encoder_weights : Path, optional
        Where the model folder does not hold its encoder; else those fetched before.
    device : {"auto", "cuda", "mps", "cpu"}
    command : str
        Noted in the card.
    report : callable, optional

    Raises
    ------
    ModelError, SweepError, TrainingError
        Where ``out`` exists, the model is a segmenter, the data cannot be used, or no quality
        threshold would keep the decisions.
    """
    old = card_to_calibrate(model, out)
    cases, what = cases_to_judge(old.taught, data, split, part, "validation")
    network = load_model(model, encoder_weights, paths.weights())
    seen, watched = DataHash(), Watched(old.taught)
    contents: list[str] = []
    passing = _passing(watched.passing(frames_of(cases)), seen, contents)
    judged = judge(network, passing, device=device, report=report)
    judged_on = watched.judged_on(what)
    chose: list[Thing] = [
        thing for case in cases for thing in things_of_case(case.name, case.subject_id)
    ]
    chose += [("frames", content) for content in contents]
    calibrated_on: dict[str, JsonValue] = {
        "data": origin(data),
        "data_hash": seen.hexdigest(),
        "split": None if split is None else read_split(split).sha256,
        **judged_on.as_json(),
    }
    return write_calibrated(model, out, judged, calibrated_on, chose, command)


def card_to_calibrate(model: Path | str, out: Path) -> ModelCard:
    """Return the card of a model that can be calibrated into a new folder.

    Raises
    ------
    ModelError, TrainingError
        Where ``out`` exists, or the model is none or a segmenter.
    """
    if out.exists():
        raise TrainingError(f"{out}: exists already; models are never overwritten, choose another")
    card = load_card(model)
    if card.task != "cls":
        raise TrainingError(f"{model}: outlines frames; calibration is of frame quality, task cls")
    return card


def write_calibrated(
    model: Path | str,
    out: Path,
    judged: Evaluation,
    calibrated_on: dict[str, JsonValue],
    chose: Iterable[Thing],
    command: str,
) -> ModelCard:
    """Write a classifier anew with the temperature that fits what it was judged on.

    Parameters
    ----------
    model : path or str
    out : Path
    judged : Evaluation
    calibrated_on : dict
        What that was, for the card.
    chose : iterable of (kind, name)
        The same, for the lineage.
    command : str
    """
    old = load_card(model)
    temperature = find_temperature(judged)
    training: dict[str, JsonValue] = {
        "command": command,
        "calibrated_on": calibrated_on,
        "started_from": old.training,
    }
    metrics: dict[str, JsonValue] = {
        "frames": judged.frames,
        "positives": judged.positives,
        "temperature_before": old.temperature,
        **errors_at(judged, temperature),
    }
    card = old.model_copy(
        update={
            "name": old.name.removesuffix(_CALIBRATED) + _CALIBRATED,
            "temperature": temperature,
            "quality_threshold": _same_decisions(old, temperature),
            "parent": model_hash(model),
            "training": training,
            "taught": old.lineage(model_hash(model)).having(chose=chose),
            "metrics": {"calibration": metrics},
            "tool_version": TOOL_VERSION,
        }
    )
    save_with_card(model, out, card)
    return load_card(out)


_CALIBRATED = ", calibrated"


_LARGEST_LOGIT = 10.0
"""Of a threshold below 1; of qualities nearer to 1, float32 tells few apart."""


def _same_decisions(old: ModelCard, temperature: float) -> float:
    """Return the quality threshold that the same frames exceed at another temperature."""
    threshold = float(logit(old.quality_threshold)) * old.temperature / temperature
    if _LARGEST_LOGIT < threshold < float("inf"):
        raise TrainingError(
            f"at the temperature {temperature:.4f} the quality threshold "
            f"{old.quality_threshold:g} would be too near 1 to tell frames apart; lower it in "
            f"{CARD_FILE} first"
        )
    return float(expit(threshold))


def _passing(
    sources: Iterable[LabelledFrames], seen: DataHash, contents: list[str]
) -> Iterator[LabelledFrames]:
    for source in sources:
        seen.take_in(source)
        contents.append(source.content)
        yield source
