"""The models that come with the package: a table; torch-free."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

_PACKAGE = Path(str(resources.files("fetal_iqa_models")))


@dataclass(frozen=True)
class BuiltInModel:
    """A model that is known by a name, in place of a folder.

    Parameters
    ----------
    name : str
    task : "cls" or "seg"
    folder : Path
    good_for : str
        Which frames it knows, and what it must not be used for; in one line.
    notice : str
        What stands beside its results wherever it speaks; empty for the demo models, whose cards
        say what they are, as those of their children do.
    limits : str
        What was never judged, or is known to be a weakness; in one line. Empty for the demo models.
    """

    name: str
    task: Literal["cls", "seg"]
    folder: Path
    good_for: str
    notice: str = ""
    limits: str = ""


_STANDARD_PLANES = (
    "standard planes of hospital scanners, not validated on blind sweeps; not for clinical use"
)
_STARTER = (
    "Starter models: trained on standard planes of hospital scanners, not validated on blind "
    "sweeps. Not for clinical use."
)
_LIMITS = (
    "never judged on a blind sweep of a patient, nor on held-back planes other than abdomen, "
    "brain, femur and chest, from one country and four kinds of machine; learnt from frames "
    "whose burned-in text was blackened, while analyse and the window blacken none, which costs "
    "a little; some chests that taught may be of subjects who judge"
)
_FIGURES = "Figures by machine: docs/starter-models.md"
_PHANTOMS = "simulated sweeps (phantoms), to try the program; not for clinical use"

BUILT_IN = {
    row.name: row
    for row in (
        BuiltInModel("demo-cls", "cls", _PACKAGE / "demo" / "cls", _PHANTOMS),
        BuiltInModel("demo-seg", "seg", _PACKAGE / "demo" / "seg", _PHANTOMS),
        BuiltInModel(
            "starter-cls",
            "cls",
            _PACKAGE / "shipped" / "starter-cls",
            f"abdominal planes that can be measured, among {_STANDARD_PLANES}",
            _STARTER,
            f"{_LIMITS}. {_FIGURES}",
        ),
        BuiltInModel(
            "starter-seg",
            "seg",
            _PACKAGE / "shipped" / "starter-seg",
            f"the abdomen's outline, learnt from engineers' drawings, in {_STANDARD_PLANES}",
            _STARTER,
            f"{_LIMITS}; of three abdomens of a Voluson S10 one was all but missed. {_FIGURES}",
        ),
        BuiltInModel(
            "sononet-cls",
            "cls",
            _PACKAGE / "shipped" / "sononet-cls",
            "standard planes of hospital scanners, each of which it names; not validated on blind "
            "sweeps, of which it may take every frame for background; not for clinical use",
            "SonoNet16: not validated on blind sweeps. Not for clinical use.",
        ),
    )
}
"""By name, in the order in which they are listed."""
