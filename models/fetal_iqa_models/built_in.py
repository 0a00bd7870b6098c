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
    """

    name: str
    task: Literal["cls", "seg"]
    folder: Path
    good_for: str
    notice: str = ""


_STANDARD_PLANES = (
    "standard planes of hospital scanners, not validated on blind sweeps; not for clinical use"
)
_STARTER = (
    "Starter models: trained on standard planes of hospital scanners, not validated on blind "
    "sweeps. Not for clinical use."
)
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
        ),
        BuiltInModel(
            "starter-seg",
            "seg",
            _PACKAGE / "shipped" / "starter-seg",
            f"the abdomen's outline, learnt from engineers' drawings, in {_STANDARD_PLANES}",
            _STARTER,
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
