"""Follows a phantom while it is simulated, and stops that where somebody wants it."""

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_fetal_iqa.phantom.simulated_frames import SimulatedFrames
from napari_fetal_iqa.sweep import SweepVolume

_LOOK_MS = 60


class SimulationMonitor(QObject):
    """Shows frames of the phantom in front once they are simulated: the window waits for none.

    ``advanced`` tells how many frames are simulated, and of how many; ``missing`` whether the one
    that is looked at is not among them yet: it is black meanwhile.
    """

    advanced = Signal(int, int)
    missing = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._frames: SimulatedFrames | None = None
        self._layer: Image | None = None
        self._is_missing = False
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)

    def follow(self, sweep: SweepVolume, layer: Image) -> None:
        """Follow a sweep and its layer, if it is one that is being simulated."""
        self.close()
        self._frames = sweep.frames if isinstance(sweep.frames, SimulatedFrames) else None
        if self._frames is not None:
            self._layer = layer
            self._frames.show_at_once()
            self._timer.start()
            self._look()

    def _look(self) -> None:
        frames = self._frames
        if frames is None:
            self._timer.stop()
            return
        self.advanced.emit(frames.done, len(frames))
        self._show(frames)
        if frames.done == len(frames) or frames.cancelled:
            self._timer.stop()

    def _show(self, frames: SimulatedFrames) -> None:
        """Draw the frame that was black once it is there; say whether one is missing."""
        black = frames.missing
        if black is not None and frames.has(black) and self._layer is not None:
            self._layer.refresh(extent=False)
            black = frames.missing
        self._tell((black is not None) and not frames.cancelled)

    def _tell(self, is_missing: bool) -> None:
        if is_missing != self._is_missing:
            self._is_missing = is_missing
            self.missing.emit(is_missing)

    def close(self) -> bool:
        """Follow nothing any more; return whether there was something to follow."""
        frames, self._frames = self._frames, None
        if frames is not None:
            self._show(frames)
        self._tell(False)
        self._layer = None
        self._timer.stop()
        return frames is not None


def is_simulated(sweep: SweepVolume) -> bool:
    """Return whether frames of a sweep are being simulated yet."""
    return isinstance(sweep.frames, SimulatedFrames) and sweep.frames.done < len(sweep)


def stop_simulating(sweep: SweepVolume | None) -> None:
    """Simulate no further frame of a phantom that nobody looks at any more."""
    if sweep is not None and isinstance(sweep.frames, SimulatedFrames):
        sweep.frames.cancel()
