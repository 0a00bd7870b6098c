"""Classes of frames, such as the planes that a frame may show; torch-free."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _shown(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("expected one line of text, without spaces around it")
    return text


Prompt = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_shown)]


class FrameClass(BaseModel):
    """One kind of frame that a classifier tells from others.

    Parameters
    ----------
    name : str
        For people: in ``frames.csv`` and in the window.
    target : bool
        Whether it is what is looked for: the quality of a frame is the probability of all
        targets together.
    prompts : tuple of str
        What describes it in words, where the classifier was made from words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_shown)]
    target: bool = False
    prompts: tuple[Prompt, ...] = Field(default=(), max_length=64)


def _told_apart(classes: tuple[FrameClass, ...]) -> tuple[FrameClass, ...]:
    if len({one.name for one in classes}) < len(classes):
        raise ValueError("two classes have one name")
    if len({one.target for one in classes}) < 2:
        raise ValueError("expected one target or more, and one class or more that is none")
    if len({bool(one.prompts) for one in classes}) > 1:
        raise ValueError("some classes have prompts and others have none")
    return classes


Classes = Annotated[
    tuple[FrameClass, ...], Field(min_length=2, max_length=64), AfterValidator(_told_apart)
]
"""Two or more with names of their own, of which some are targets; prompts for all or for none."""


def prompts_hash(classes: Sequence[FrameClass]) -> str:
    """Hash the prompts of classes, in their order.

    Parameters
    ----------
    classes : sequence of FrameClass

    Returns
    -------
    str
        sha256, 64 hexadecimal digits.
    """
    prompts = [list(one.prompts) for one in classes]
    return hashlib.sha256(json.dumps(prompts).encode()).hexdigest()
