"""The words below the frame, in napari's own text overlay: one for the whole life of a window."""

from napari.components import ViewerModel
from qtpy.QtCore import QTimer

_COLOUR = None  # napari's own choice, legible on the canvas of either theme
_LETTERS = "AC 0123456789.×mp"
_LETTER_MS = 30


class Caption:
    """Shows a few words; each letter is drawn once unseen, as napari's first time takes 20 ms.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    soon : str
        What is to be shown beside measurements.

    Attributes
    ----------
    text : str
        What stands there, or will as soon as its letters were drawn.
    """

    def __init__(self, viewer: ViewerModel, soon: str = "") -> None:
        self.text = ""
        self._parts = ["", ""]
        self._overlay = viewer.canvas.overlays.text
        self._canvas = viewer.canvas
        self._undrawn = dict.fromkeys((_LETTERS + soon).replace("\n", ""))
        self._letters = QTimer()
        self._letters.setInterval(_LETTER_MS)
        self._letters.timeout.connect(self._draw_letter)

    def begin(self) -> None:
        """Make ready to show something."""
        overlay = self._overlay
        overlay.position, overlay.font_size, overlay.color = "bottom_left", 14, _COLOUR
        self._write("")
        self._canvas.events.size.connect(self._place)
        overlay.visible = True  # now, for making it takes long
        self._letters.start()

    def show(self, text: str) -> None:
        """Show this text in place of the last; an empty one shows nothing."""
        self._put(0, text)

    def add(self, text: str) -> None:
        """Show this text below the other, in place of what was added last."""
        self._put(1, text)

    def _put(self, part: int, text: str) -> None:
        self._parts[part] = text
        self.text = text = "\n".join(filter(None, self._parts))
        if not self._ready:
            self._letters.start()
        # napari draws all anew for a text that is the same, too
        elif self._overlay.text != text and not self._letters.isActive():
            self._write(text)

    def _write(self, text: str) -> None:
        overlay = self._overlay
        overlay.text = text
        if overlay.box != bool(text):
            overlay.box = bool(text)  # napari draws one around nothing, too
        self._place()

    def _place(self, event: object = None) -> None:
        """Let napari place the words by their size and the canvas's now.

        It does so after drawing (napari 0.9.2): for a moment, and for good where nothing is drawn
        again, they would stand where they stood on a larger canvas, cut off.
        """
        self._canvas.overlay_tiling.events(type_name="padding")

    def end(self) -> None:
        """Show nothing more, until the next beginning."""
        self._letters.stop()
        self._canvas.events.size.disconnect(self._place)
        self.text, self._parts = "", ["", ""]
        self._write("")
        self._overlay.color, self._overlay.visible = _COLOUR, False

    @property
    def settled(self) -> bool:
        """Whether the text is drawn."""
        return self._overlay.text == self.text

    @property
    def _ready(self) -> bool:
        """Whether every letter of the text was drawn; of all, where it is empty."""
        return not (self._undrawn.keys() & self.text if self.text else self._undrawn)

    def _draw_letter(self) -> None:
        if self._ready:
            self._letters.stop()
            self._write(self.text)
            self._overlay.color = _COLOUR
        else:
            needed = (letter for letter in self._undrawn if letter in self.text)
            letter = next(needed, next(iter(self._undrawn)))
            del self._undrawn[letter]
            if self._overlay.box:
                self._overlay.box = False
            self._overlay.text, self._overlay.color = letter, "transparent"
