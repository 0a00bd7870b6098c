"""What all runs of the comparison have in common, and what decides a result."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from fetal_iqa_training.data.planes import PlaneImage, image_content, planes_hash
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.planes.encoders import Candidate
from fetal_iqa_training.experiments.planes.folds import FOLDS
from fetal_iqa_training.experiments.planes.learning import TrainingOptions

Setting = Literal["linear", "full"]
SETTINGS: tuple[Setting, ...] = get_args(Setting)

PROCEDURE = "procedure"
_PROCEDURE = 2
"""Of full fine-tuning: counted up when a change of the program gives other results.

1: a demo model's encoder went on from the fold before; with class weights the loss that chose the
epoch was a mean of batches.
"""


@dataclass(frozen=True)
class PlanesPlan:
    """What all runs have in common.

    Parameters
    ----------
    images, external : tuple of PlaneImage
        Of the folds, and of the other domain; of one subject's there are none in both.
    out : Path
    options : TrainingOptions
    settings : tuple of str
    folds : int
        To run, of five.
    mask_text : bool
    """

    images: tuple[PlaneImage, ...]
    external: tuple[PlaneImage, ...]
    out: Path
    options: TrainingOptions
    settings: tuple[Setting, ...] = SETTINGS
    folds: int = FOLDS
    mask_text: bool = True

    def file_of(self, encoder: str, setting: Setting, fold: int) -> Path:
        """Where the result of a run is."""
        return self.out / "planes" / encoder / f"{setting}-fold-{fold + 1}.json"

    def made_with(
        self, candidate: Candidate, setting: Setting
    ) -> dict[str, str | int | float | bool]:
        """Return what decides a result."""
        own: dict[str, str | int | float | bool] = {
            "encoder": candidate.identity,
            "images": planes_hash(self.images),
            "external": planes_hash(self.external),
            "seed": self.options.seed,
            "balanced": self.options.balanced,
            "mask_text": self.mask_text,
        }
        if setting == "full":
            own |= {
                "epochs": self.options.epochs,
                "batch_size": self.options.batch_size,
                "learning_rate": self.options.learning_rate,
                PROCEDURE: _PROCEDURE,
            }
        return own


def external_of_machine(
    images: Sequence[PlaneImage], machine: str
) -> tuple[tuple[PlaneImage, ...], tuple[PlaneImage, ...]]:
    """Make the images of one machine the other domain; nobody who is in both is in that.

    Raises
    ------
    TrainingError
        Where there is no such machine, or no other.
    """
    own = tuple(image for image in images if image.machine != machine)
    known = {image.subject for image in own}
    seen = set(map(image_content, own))
    other = tuple(
        image
        for image in images
        if image.machine == machine
        and image.subject not in known
        and image_content(image) not in seen
    )
    if not own or not other:
        machines = ", ".join(sorted({image.machine for image in images}))
        raise TrainingError(f"no images of {machine!r} and of others; there are: {machines}")
    return own, other
