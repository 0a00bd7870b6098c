"""The licence that a model travels with: its name, whose weights it began with, and the text."""

from pathlib import Path

from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.cards import ModelCard
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.registry import encoder_spec
from fetal_iqa_models.specs import EncoderSpec

LICENCE_FILE = "LICENSE.txt"
"""Beside a model that was sent; no part of the model, and nothing of it is ever relied on."""

_TEXTS = {
    "Apache-2.0": BUILT_IN["sononet-cls"].folder.parent / "SonoNet-LICENSE.txt",
    "BSD-3-Clause": BUILT_IN["demo-cls"].folder.parent / LICENCE_FILE,
}
"""Whose text comes with this program: those of the weights that do."""
_ADDRESSES = {
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "BSD-3-Clause": "https://opensource.org/license/bsd-3-clause",
    "MIT": "https://opensource.org/license/mit",
    "CC-BY-NC-4.0": "https://creativecommons.org/licenses/by-nc/4.0/legalcode",
    "DINOv3 License": "https://ai.meta.com/resources/models-and-libraries/dinov3-license/",
}


def licence_text(card: ModelCard) -> str:
    """Write what a model that is sent must be accompanied by.

    Parameters
    ----------
    card : ModelCard
        ``licence`` and ``encoder`` decide alone: one card gives one text on every machine.

    Returns
    -------
    str
        The licence's name and address, whose weights the encoder began with and under which
        licence, that they were changed, and the texts of the licences that come with this program.
    """
    names = [card.licence]
    lines = [f"Licence of this model: {card.licence}"]
    try:
        spec = encoder_spec(card.encoder)
    except ModelError:  # of a later version: its licence is told all the same
        spec = None
    if spec is not None and (spec.source is not None or spec.shipped):
        lines += ["", *_origin(card, spec)]
        names += [spec.licence] if spec.licence != card.licence else []
    addresses = [f"{name}: {_ADDRESSES[name]}" for name in names if name in _ADDRESSES]
    lines += ["", *addresses] if addresses else []
    # The BSD licence names whose work it is: it is ours only where the encoder is nobody else's.
    theirs = spec is not None and spec.source is not None
    texts = [_TEXTS[name] for name in names if name in _TEXTS and not (theirs and _is_ours(name))]
    for text in texts:
        lines += ["", "-" * 78, "", text.read_text(encoding="utf-8").strip("\n")]
    return "\n".join(lines) + "\n"


def _origin(card: ModelCard, spec: EncoderSpec) -> list[str]:
    if spec.source is None:
        whose = "SonoNet16 (Baumgartner et al., IEEE TMI 2017, arXiv 1612.05601)"
    else:
        whose = f"{card.encoder}, published as {spec.source.file} in {spec.source.repository}"
    lines = [f"Its encoder is, or began as, {whose}, under {spec.terms}."]
    if card.training:
        lines.append("Weights that are kept in this model were changed by training.")
    return lines


def _is_ours(name: str) -> bool:
    return name == "BSD-3-Clause"


def text_files() -> tuple[Path, ...]:
    """Return the files of the licences under which this package has weights."""
    return tuple(_TEXTS.values())
