"""Run the networks over a sweep; the results and the files that they are written to.

Names are imported when they are first used: the window needs results long before figures.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
