"""The mouse over a frame, as napari hands its events to the tools."""

import numpy as np


class Press:
    """One event of the mouse, as napari hands it to its callbacks."""

    def __init__(self, kind, row, column, layer):
        self.type, self.button = kind, 1
        self.position = (0.0, row * layer.scale[1], column * layer.scale[2])


def drag(tool, widget, begin, end, meanwhile=lambda: None):
    """Press, move and let go with a tool; begin and end are rows and columns in pixels."""
    layer = widget.layer
    press = Press("mouse_press", *begin, layer)
    following = tool._pressed(widget.viewer, press)
    try:
        next(following)
        meanwhile()
        for share in (0.5, 1.0):
            at = np.add(begin, share * np.subtract(end, begin))
            press.__init__("mouse_move", *at, layer)
            next(following)
        press.__init__("mouse_release", *end, layer)
        next(following)
    except StopIteration:
        pass
