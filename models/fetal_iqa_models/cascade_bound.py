"""From which quality on a classifier's frames are worth outlining, as it was measured; torch-free.

It lies beside a CLS model, in a file that is no part of it: measuring changes no model.
"""

import logging
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_models.cards import model_hash, read_small
from fetal_iqa_models.errors import ModelError

logger = logging.getLogger(__name__)

BOUND_FILE = "cascade.json"
MISSED_AT_MOST = 1e-3
"""Share of the frames with an abdomen whose quality may lie below the bound."""


class CascadeBound(BaseModel):
    """Least quality of a frame that the segmenter sees, and what says so.

    Parameters
    ----------
    bound : float
    positives, missed : int
        Frames with an abdomen that it was measured on, and those among them below the bound.
    spared : float
        Share of all frames below the bound.
    cases : int
    measured_on : str
        In words.
    model : str
        Hash of the CLS model: the bound of another counts for nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    bound: float = Field(ge=0, le=1)
    positives: int = Field(ge=1)
    missed: int = Field(ge=0)
    spared: float = Field(ge=0, le=1)
    cases: int = Field(ge=1)
    measured_on: str = Field(min_length=1, max_length=500)
    model: str = Field(pattern="^[0-9a-f]{64}$")


def load_bound(folder: Path) -> CascadeBound | None:
    """Read the bound that lies beside a CLS model; None where there is none that is its own."""
    path = folder / BOUND_FILE
    if not path.exists():
        return None
    try:
        found = CascadeBound.model_validate_json(read_small(path))
        if found.model == model_hash(folder):
            return found
        logger.warning("%s: measured with another model, and not used", path)
    except (ValidationError, ModelError) as error:
        logger.warning("%s: no bound of a cascade, and not used (%s)", path, type(error).__name__)
    return None


def save_bound(bound: CascadeBound, folder: Path) -> None:
    """Lay a bound beside the CLS model."""
    write_atomically(folder / BOUND_FILE, bound.model_dump_json(indent=2) + "\n")
