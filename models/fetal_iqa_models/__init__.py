"""Encoders, networks, adapters, preprocessing, model folders and prediction; arrays in and out.

Names are loaded on first use, so that ``import fetal_iqa_models`` imports no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
