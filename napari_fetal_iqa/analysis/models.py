"""Which models shall speak: their names, hashes and thresholds, known before torch is."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import fetal_iqa_models
from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.weights.recording import weights_record
from napari_fetal_iqa.analysis.cascade import Cascade, bound_for
from napari_fetal_iqa.analysis.result import AnalysisSetup, ModelRef, Thresholds
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.model_library.shipped_weights import built_in_with
from napari_fetal_iqa.model_library.wording import good_for
from napari_fetal_iqa.model_library.zero_shot import located
from napari_fetal_iqa.storage import paths

if TYPE_CHECKING:
    from fetal_iqa_models import ModelCard

_OF_WORDS = "Zero-shot: it learnt from no such frames, not validated. Not for clinical use."


@dataclass(frozen=True)
class ChosenModel:
    """A model folder that was checked to be of the right task.

    Parameters
    ----------
    folder : Path
    card : ModelCard
    reference : ModelRef
    notice : str
        What must be known of it wherever it speaks; empty where nothing is.
    name : str
        A built-in model's name, else its id.
    good_for : str
        Which frames it knows, in a line.
    """

    folder: Path
    card: "ModelCard"
    reference: ModelRef
    notice: str = ""
    name: str = ""
    good_for: str = ""


@dataclass(frozen=True)
class ChosenModels:
    """The classifier and the segmenter, either of which may be None, but not both.

    ``cascade`` is the least quality of a frame that the segmenter sees; None where it sees all.
    """

    cls: ChosenModel | None
    seg: ChosenModel | None
    cascade: float | None = None

    def setup(self, device: str = "", precision: str = "", engine: str = "") -> AnalysisSetup:
        """Return who speaks, from when on it counts, and where it is computed."""
        defaults = Thresholds()
        both = [one for one in (self.cls, self.seg) if one]
        return AnalysisSetup(
            cls_model=self.cls.reference if self.cls else None,
            seg_model=self.seg.reference if self.seg else None,
            thresholds=Thresholds(
                quality=self.cls.card.quality_threshold if self.cls else defaults.quality,
                area=self.seg.card.area_threshold if self.seg else defaults.area,
            ),
            device=device,
            precision=precision,
            engine=engine,
            planes=tuple(one.name for one in (self.cls.card.classes or ())) if self.cls else (),
            # both may say the same
            notices=tuple(dict.fromkeys(one.notice for one in both if one.notice)),
            names=tuple(one.name for one in both),
            good_for=tuple(one.good_for for one in both),
            cascade=self.cascade,
        )


def choose_models(
    cls_model: str | Path | None,
    seg_model: str | Path | None,
    encoder_weights: Path | None = None,
    cascade: Cascade = "off",
) -> ChosenModels:
    """Find and check the folders of the models; imports no torch.

    Parameters
    ----------
    cls_model, seg_model : str or Path, optional
        Model folders or built-in names; empty or None for none.
    encoder_weights : Path, optional
        Pretrained weights of the encoder, for models whose card names none.
    cascade : "auto", "off" or float
        Which frames are outlined; see :mod:`~napari_fetal_iqa.analysis.cascade`.

    Raises
    ------
    AnalysisError
        Without any model, or with one of the wrong task.
    fetal_iqa_models.ModelError
        Where a folder is missing or no model, or the weights file cannot be read.
    """
    chosen = ChosenModels(
        _choose(cls_model, "cls", encoder_weights), _choose(seg_model, "seg", encoder_weights)
    )
    if chosen.cls is None and chosen.seg is None:
        raise AnalysisError("no model is chosen; choose a CLS or a SEG model, or both")
    folder = chosen.cls.folder if chosen.cls else None
    return replace(chosen, cascade=bound_for(cascade, folder, chosen.seg is not None))


def _choose(
    model: str | Path | None, task: str, encoder_weights: Path | None
) -> ChosenModel | None:
    if not model:
        return None
    folder = fetal_iqa_models.resolve_model(located(model))
    card = fetal_iqa_models.load_card(folder)
    if card.task != task:
        raise AnalysisError(f"{model}: a {card.task} model where a {task} model is needed")
    digest = fetal_iqa_models.model_hash(folder)
    name = fetal_iqa_models.model_id(task, digest)
    weights = _weights_sha256(card, encoder_weights)
    reference = ModelRef(name, digest, card.name, card.demo, weights)
    return ChosenModel(
        folder,
        card,
        reference,
        _notice(folder, card),
        str(model) if str(model) in BUILT_IN else name,
        good_for(card, str(folder)),
    )


def _notice(folder: Path, card: "ModelCard") -> str:
    if built_in := built_in_with(folder, card):
        return built_in.notice
    if card.prompts_sha256 is not None and card.lora is None:
        return _OF_WORDS
    return ""


def _weights_sha256(card: "ModelCard", given: Path | None) -> str | None:
    """Return the sha256 of the weights that the model will have; loading checks those it names."""
    if card.encoder_weights == "own":
        return None
    if card.encoder_weights is not None:
        return card.encoder_weights.sha256
    return None if given is None else weights_record(given, paths.weights()).sha256
