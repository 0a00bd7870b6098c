"""Encoders, networks, adapters, preprocessing, model folders and prediction; arrays in and out.

Names are loaded on first use, so that ``import fetal_iqa_models`` imports no torch.
"""

from typing import Any

import lazy_loader

from fetal_iqa_models.installation import naming_what_is_left_out

_attached, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    with naming_what_is_left_out():
        return _attached(name)
