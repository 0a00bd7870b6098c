"""The expert's desk for fetal ultrasound sweeps: find, check, measure and correct the abdomen.

Names are imported when they are first used, so that ``import napari_fetal_iqa`` is quick and
brings neither Qt nor torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
