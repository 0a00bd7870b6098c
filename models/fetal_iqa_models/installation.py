"""What is installed: the whole program, or its light part, which reviews without torch."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from fetal_iqa_models.errors import NotInstalledError

LEFT_OUT = {
    "httpx2": "httpx2",
    "huggingface_hub": "huggingface_hub",
    "lightning": "lightning",
    "open_clip_torch": "open_clip",
    "peft": "peft",
    "scikit-learn": "sklearn",
    "timm": "timm",
    "torch": "torch",
    "torchmetrics": "torchmetrics",
    "torchvision": "torchvision",
}
"""Dependencies that the light installation does without, and as what they are imported."""

HOW_TO_GET = "python3 run.py demo, without --light, installs the whole program"


def is_whole() -> bool:
    """Return whether the whole program is installed, told by torch, which is not imported."""
    return importlib.util.find_spec("torch") is not None


def only_in_whole(what: str) -> str:
    """Say of something, a subject with its verb, that the light installation cannot do it."""
    return f"{what} torch, which this light installation leaves out; {HOW_TO_GET}"


@contextmanager
def naming_what_is_left_out() -> Iterator[None]:
    """Say in one line that the light installation leaves something out, where an import fails.

    Raises
    ------
    NotInstalledError
        Instead of the ModuleNotFoundError of a package in :data:`LEFT_OUT`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in LEFT_OUT.values():
            raise
        raise NotInstalledError(
            f"this needs {package}, which this light installation leaves out; {HOW_TO_GET}"
        ) from error
