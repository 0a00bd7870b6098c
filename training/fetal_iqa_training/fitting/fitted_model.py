"""What comes of a network that was fitted: calibrated, judged, and written as a model folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_models import (
    FrameClassifier,
    ModelCard,
    load_card,
    save_model,
    trainable_parameters,
)
from fetal_iqa_models.cards import Taught
from fetal_iqa_models.half_precision import round_to_half
from fetal_iqa_models.networks import Network
from fetal_iqa_training.data.datasets import origin
from fetal_iqa_training.data.fit_data import FitData
from fetal_iqa_training.data.frame_set import FrameSet, TruthHash
from fetal_iqa_training.data.labelled_frames import frames_of, noting_contents
from fetal_iqa_training.evaluation.calibrate_model import calibrate_on, errors_before
from fetal_iqa_training.evaluation.evaluate import Evaluation, judge
from fetal_iqa_training.evaluation.known_frames import Watched
from fetal_iqa_training.fitting.basis import weights_sha256
from fetal_iqa_training.fitting.fit_card import card_of_fit
from fetal_iqa_training.fitting.published_recipe import untrained_adapter_parameters
from fetal_iqa_training.fitting.stopping import STOPPED, Stopped
from fetal_iqa_training.fitting.taught_too import TAUGHT_TOO, TaughtToo
from fetal_iqa_training.progress import Report
from fetal_iqa_training.settings import FitSettings


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit has in hand when its training has ended.

    Parameters
    ----------
    data : Path
    chosen : FitData
    frames, validation : FrameSet
    taught : Taught
        What taught it, without the frames that test it.
    taught_too : TaughtToo
    validation_taught : int
        Validation frames that taught.
    stopped : Stopped or None
    parent : FrameClassifier or FrameSegmenter, optional
    weights : Path, optional
    demo, half_precision : bool
    command : str
    """

    data: Path
    chosen: FitData
    frames: FrameSet
    validation: FrameSet
    taught: Taught
    taught_too: TaughtToo
    validation_taught: int
    stopped: Stopped | None = None
    parent: Network | None = None
    weights: Path | None = None
    demo: bool = False
    half_precision: bool = False
    command: str = ""


def write_fitted(
    network: Network,
    out: Path,
    settings: FitSettings,
    validated: dict[str, JsonValue],
    of: Fitted,
    report: Report,
    on_judged: Callable[[Evaluation], None] | None = None,
) -> ModelCard:
    """Calibrate a fitted network, judge it on the test part, and write its model folder."""
    if of.half_precision:
        round_to_half(network)
    training: dict[str, JsonValue] = {
        "settings": settings.model_dump(mode="json"),
        "frames": len(of.frames),
        "positives": int(of.frames.positive.sum()),
        "trainable_parameters": trainable_parameters(network),
        "untrained_adapter_parameters": untrained_adapter_parameters(network),
        "command": of.command,
        "data": origin(of.data),
        "split": of.chosen.split,
        "validation_data": of.validation.data_hash,
        "copies_seed": of.chosen.copies_seed,
        TAUGHT_TOO: {"validation": of.validation_taught},
        "weights": weights_sha256(of.weights),
    }
    if of.stopped is not None:
        training[STOPPED] = of.stopped.as_json()
    if of.parent is not None and of.parent.card is not None:
        training["started_from"] = of.parent.card.training
    temperature = 1.0
    if isinstance(network, FrameClassifier):
        calibration = calibrate_on(network, of.validation, settings.device, report)
        temperature = calibration.temperature
        validated |= calibration.errors
        training["calibration"] = calibration.note
    card = card_of_fit(
        network, of.weights, of.frames.data_hash, training, of.demo, of.parent, temperature
    )
    card = card.model_copy(update={"taught": of.taught})
    metrics: dict[str, JsonValue] = {"validation": validated}
    network.card = card
    if of.chosen.cases.test:
        contents: list[str] = []
        watched, truth = Watched(of.taught), TruthHash()
        passing = watched.passing(frames_of(of.chosen.cases.test))
        tested = noting_contents(of.taught_too.passing(truth.passing(passing)), contents)
        judged = judge(network, tested, device=settings.device, report=report)
        taught = of.taught.having(tested=[("frames", content) for content in contents])
        taught = taught.model_copy(update={"tested_by_content": True})
        taught_both = {"validation": of.validation_taught, "test": of.taught_too.passed}
        noted = {**card.training, "test_data": truth.hexdigest(), TAUGHT_TOO: taught_both}
        card = card.model_copy(update={"taught": taught, "training": noted})
        if on_judged is not None:
            on_judged(judged)
        on_test: dict[str, JsonValue] = judged.as_metrics() | errors_before(judged)
        judged_on = watched.judged_on("the test part")
        # of an ancestor, or by another name; or nobody knows
        if judged_on.learnt or judged_on.chose or not judged_on.recorded:
            on_test["judged_on"] = judged_on.as_json()
        metrics["test"] = on_test
    card = card.model_copy(update={"metrics": metrics})
    save_model(network, out, card, half_precision=of.half_precision)
    return load_card(out)
