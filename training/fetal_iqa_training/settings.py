"""Settings of a training; the defaults are the paper's recipe."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from fetal_iqa_models import LoraSettings, encoder_spec
from fetal_iqa_models.cards import Task
from napari_fetal_iqa.finetuning.request import Preset

Device = Literal["auto", "cuda", "mps", "cpu"]
Strategy = Literal["lora", "linear", "full"]
RateSchedule = Literal["constant", "cosine"]
Precision = Literal["auto", "bf16", "fp32"]
Recipe = Literal["ours", "published"]
AugmentationName = Literal["paper", "cheap-probe"]
Part = Literal["training", "validation", "test"]
LoggerName = Literal["tensorboard", "mlflow", "wandb"]
OwnPart = Literal["training", "validation", "test", "all"]
"""Of a list, or of a model's own split; all for both and what is in no part."""


class RunSettings(BaseModel):
    """What fitting and fine-tuning have in common.

    Parameters
    ----------
    task : {"cls", "seg"}
    learning_rate, weight_decay : float
        Of AdamW.
    head_rate : float
        Learning rate of the head, as a multiple of the encoder's: a new head has further to go.
    cross_entropy : float
        Weight of the pixels' cross-entropy beside the Dice loss of masks; 0 in the paper. With
        it a network that starts at random is trained sooner.
    per_frame : bool
        Dice loss of each frame with an abdomen, and not pooled over the batch as in the paper; the
        empty frames are left to the cross-entropy.
    class_weights : float or "balanced", optional
        How much more a frame with an abdomen counts in the cross-entropy of frame quality;
        balanced: as many times as there are more training frames without one. None for 1, as in
        the paper.
    schedule : {"constant", "cosine"}
        Cosine rises for 5 % of the steps and falls to zero.
    batch_size : int
    gradient_clip : float, optional
        Largest norm of the gradient.
    seed : int
        Of initial weights, split, order and augmentation. The same seed on the CPU gives the
        same weights.
    device : {"auto", "cuda", "mps", "cpu"}
    precision : {"auto", "bf16", "fp32"}
        Auto is bf16 where the device has it, else fp32.
    workers : int
        Processes that make augmented copies beside the training process; they change nothing
        but the time.
    lora : LoraSettings
        Of an adapter to add.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Task
    learning_rate: float = Field(3e-4, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    head_rate: float = Field(1.0, gt=0)
    cross_entropy: float = Field(0.0, ge=0)
    per_frame: bool = False
    class_weights: Literal["balanced"] | Annotated[float, Field(gt=0)] | None = None
    schedule: RateSchedule = "constant"
    batch_size: int = Field(32, ge=1)
    gradient_clip: float | None = Field(None, gt=0)
    seed: int = Field(0, ge=0)
    device: Device = "auto"
    precision: Precision = "auto"
    workers: int = Field(0, ge=0)
    lora: LoraSettings = LoraSettings()

    @property
    def published_loss(self) -> bool:
        """Whether the Dice loss is the published code's."""
        return False


class FitSettings(RunSettings):
    """Fitting to an annotated data set.

    Parameters
    ----------
    encoder : str
        Name in the table of encoders.
    strategy : {"lora", "linear", "full"}, optional
        LoRA and head, head alone, or everything. By default LoRA where the encoder takes it and
        has pretrained weights, else everything.
    recipe : {"ours", "published"}
        Published does as the published code does where we do otherwise, to compare the two: its
        decoder on blocks 6, 8, 12 and 24 of 24, which alone trains, and its Dice loss for
        segmentation; for classification the LoRA on the attention's output projection stays
        untrained; and frames are resized without antialiasing, and incomplete batches dropped.
    epochs : int
        The weights of the epoch with the lowest validation loss are kept.
    copies : int
        Augmented copies of each training frame in an epoch.
    fresh_copies : bool
        Make them anew in each epoch, at the network's size, and not once before resizing, as the
        paper does.
    balanced : int, optional
        Samples of an epoch, half of them with an abdomen however few there are, two of three
        changed; None to take every frame and its copies.
    augmentation : {"paper", "cheap-probe"}
        What copies look like: moved frames in another light, or what a cheap probe makes of a
        clean image (:mod:`fetal_iqa_training.transforms.cheap_probe`), which is made anew.
    validation_share, test_share : float
        Of the subjects.
    split_seed : int, optional
        Of the split by subject, where it shall stay while ``seed`` changes; else ``seed``.

    References
    ----------
    arXiv 2507.22802: AdamW at 3e-4, 5 epochs of batches of 32, two augmented copies of each
    frame, 210/30/60 cases, the epoch with the best validation loss.
    """

    encoder: str
    strategy: Strategy | None = None
    recipe: Recipe = "ours"
    epochs: int = Field(5, ge=1)
    copies: int = Field(2, ge=0)
    fresh_copies: bool = False
    balanced: int | None = Field(None, ge=2)
    augmentation: AugmentationName = "paper"
    validation_share: float = Field(0.1, gt=0, lt=1)
    test_share: float = Field(0.2, ge=0, lt=1)
    split_seed: int | None = Field(None, ge=0)

    @property
    def published_loss(self) -> bool:
        """Whether the Dice loss is the published code's."""
        return self.recipe == "published"

    def strategy_with(self, has_weights: bool) -> Strategy:
        """Return what is trained, with or without pretrained weights of the encoder.

        Raises
        ------
        ModelError
            Where there is no such encoder.
        """
        if self.strategy is not None:
            return self.strategy
        takes_lora = has_weights and encoder_spec(self.encoder).lora_targets is not None
        return "lora" if takes_lora or self.recipe == "published" else "full"

    @field_validator("balanced")
    @classmethod
    def _balanced_is_fresh(cls, samples: int | None, info: ValidationInfo) -> int | None:
        if samples is not None and not info.data.get("fresh_copies"):
            raise ValueError("balanced epochs make their copies anew: add --fresh-copies")
        return samples

    @field_validator("augmentation")
    @classmethod
    def _cheap_probe_is_fresh(cls, name: AugmentationName, info: ValidationInfo) -> str:
        if name != "paper" and not info.data.get("fresh_copies"):
            raise ValueError(f"copies by {name} are made anew in each epoch: add --fresh-copies")
        return name

    @field_validator("recipe")
    @classmethod
    def _published_is_lora(cls, recipe: Recipe, info: ValidationInfo) -> Recipe:
        strategy = info.data.get("strategy")
        if recipe == "published" and strategy not in (None, "lora"):
            raise ValueError(f"the published recipe trains LoRA, not {strategy}")
        return recipe


class DistilSettings(FitSettings):
    """A student that learns from a teacher; the defaults are for a small network from scratch.

    Parameters
    ----------
    embedding : float
        Weight of the distance between the embeddings of both, where they have one length (cls).
    every : int
        Take every so manieth frame of a sweep: a large teacher is slow.
    """

    strategy: Strategy | None = "full"
    learning_rate: float = Field(1e-3, gt=0)
    epochs: int = Field(10, ge=1)
    fresh_copies: bool = True
    balanced: int | None = Field(2000, ge=2)
    cross_entropy: float = Field(1.0, ge=0)
    schedule: RateSchedule = "cosine"
    gradient_clip: float | None = Field(1.0, gt=0)
    embedding: float = Field(1.0, ge=0)
    every: int = Field(1, ge=1)


class FinetuneSettings(RunSettings):
    """Fine-tuning on corrections.

    Parameters
    ----------
    steps : int, optional
        Training steps, whose frames are drawn half from positive and half from negative
        frames however few there are of either, most of them augmented. None to take every
        frame as it is and as copies, ``epochs`` times, unbalanced.
    epochs, copies : int
        Where ``steps`` is None.
    patience : int, optional
        Stop where the loss on a fifth of the corrected frames, kept back for this, has not fallen
        for so many rounds of 15 steps, and keep the weights of the best round.
    blend : float
        How far the child goes from its parent's weights to those it was trained to: 1 all the way,
        0.75 less far, which keeps more of what the parent knew (Wortsman et al., Robust fine-tuning
        of zero-shot models, CVPR 2022).
    rehearsal : 0, 1 or 2
        Frames of earlier data for every two corrected ones, where there is such data: the model
        forgets less.
    rehearse_alike : bool
        Rehearse each of these frames in speckle of another grain and the grey levels of a corrected
        one, too: the outlines of earlier data then show what the new scanner looks like.
    magnification : float
        Augmented copies are magnified by up to this, or reduced as much: 1 for neither, as in the
        paper.
    jitter_probability : float
        Share of the copies whose brightness and contrast are changed.
    """

    steps: int | None = Field(None, ge=1)
    epochs: int = Field(5, ge=1)
    copies: int = Field(2, ge=0)
    patience: int | None = Field(None, ge=1)
    blend: float = Field(1.0, gt=0, le=1)
    rehearsal: int = Field(0, ge=0, le=2)
    rehearse_alike: bool = False
    magnification: float = Field(1.0, ge=1, le=2)
    jitter_probability: float = Field(0.5, ge=0, le=1)


STEPS_A_ROUND = 15
"""Of a budget of steps; after each round a checkpoint is written and, with patience, the frames
that were kept back are looked at."""


_QUICK: dict[str, object] = {
    "steps": 150,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "head_rate": 5.0,
    "cross_entropy": 1.0,
    "schedule": "cosine",
    "gradient_clip": 1.0,
    "rehearsal": 2,
    "jitter_probability": 1.0,
}

PRESETS: dict[Preset, dict[str, object]] = {
    "quick": _QUICK,
    "careful": _QUICK | {"steps": 450, "learning_rate": 3e-4, "patience": 8},
    "paper": {},
}
"""What a preset changes of :class:`FinetuneSettings`, but for what :func:`preset_of` adds."""

_GENTLY: dict[str, object] = {
    "head_rate": 1.0,
    "per_frame": True,
    "blend": 0.75,
    "rehearse_alike": True,
    "magnification": 1.35,
}
_OUTLINES: dict[Preset, dict[str, object]] = {
    "quick": _GENTLY | {"learning_rate": 3e-4},
    "careful": _GENTLY | {"learning_rate": 1e-4},
}


def preset_of(preset: Preset, task: Task) -> dict[str, object]:
    """Return what a preset changes of :class:`FinetuneSettings` for a task.

    ``quick`` is for the desk, minutes on a laptop's CPU with the demo encoder; ``careful`` goes
    slower and stops early, so that it forgets less; ``paper`` has the settings and the augmentation
    of arXiv 2507.22802, but its copies are made anew in each epoch, at the network's size, where
    those of the paper are made once, before resizing; and the last epoch is kept, since what is
    held out chooses nothing.
    Outlines are trained more gently than frame quality, with the Dice loss of each frame and a
    quarter of the way back to the parent: few frames, of which many are hard negatives, otherwise
    make the outlines that a model knew worse. And earlier data is rehearsed as the new scanner
    might show it, and copies are magnified or reduced. On phantoms of a scanner on which the demo
    model's Dice is 0.52 (seed 0 of ``benchmarks/learning_curve.py``, 20 corrected frames) grey
    levels raised what was reached from 0.67 to 0.71, speckle to 0.77, magnification to 0.80.
    """
    return PRESETS[preset] | (_OUTLINES.get(preset, {}) if task == "seg" else {})
