"""USFM's checkpoint: a BEiT-B/16 that was trained to fill in masked ultrasound images.

``USFM_latest.pth`` is a flat file of 188 tensors by the names of BEiT's own code, which timm has
too: one table of relative positions for all blocks, no absolute ones, layer scale, and no bias of
the keys. Beside them it has what only its training needed: the token of masked patches, and an
index that is computed anew. Its last norm is applied to the mean of the patches here, as the
published classifier pools them (with a norm of its own, that starts from nothing).

References
----------
Jiao et al., USFM, Medical Image Analysis 96 (2024) 103202, and its repository openmedlab/USFM
(``usdsgen/modules/backbone/vision_transformer.py``, ``configs/model/Cls/vit.yaml``); Bao et al.,
BEiT, ICLR 2022.
"""

from collections.abc import Mapping

from torch import Tensor

_OF_TRAINING = ("mask_token", "rel_pos_bias.relative_position_index")
_NORM, _NORM_AFTER_POOLING = "norm.", "fc_norm."


def is_checkpoint(tensors: Mapping[str, Tensor]) -> bool:
    """Whether these tensors are USFM's, by what only it has."""
    return all(name in tensors for name in _OF_TRAINING)


def encoder(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the encoder's tensors by timm's names; what only the training needed is left out.

    A tensor whose place is taken keeps its name, so that a strict check finds it.
    """
    tower: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name not in _OF_TRAINING:
            place = _timm_name(name)
            tower[name if place in tower else place] = tensor
    return tower


def _timm_name(name: str) -> str:
    return _NORM_AFTER_POOLING + name.removeprefix(_NORM) if name.startswith(_NORM) else name
