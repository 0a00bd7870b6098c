"""Follows a phantom while it is simulated, and stops that where somebody wants it."""

from qtpy.QtCore import QObject, QTimer, Signal

from napari_fetal_iqa.phantom.simulated_frames import SimulatedFrames
from napari_fetal_iqa.sweep import SweepVolume

_LOOK_MS = 200


class SimulationMonitor(QObject):
    """``advanced`` tells how many frames of the phantom in front are simulated, and of how many."""

    advanced = Signal(int, int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._frames: SimulatedFrames | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)

    def follow(self, sweep: SweepVolume) -> None:
        """Follow a sweep, if it is one that is being simulated."""
        self._frames = sweep.frames if isinstance(sweep.frames, SimulatedFrames) else None
        if self._frames is not None:
            self._timer.start()
            self._look()

    def _look(self) -> None:
        frames = self._frames
        if frames is None:
            self._timer.stop()
            return
        self.advanced.emit(frames.done, len(frames))
        if frames.done == len(frames) or frames.cancelled:
            self._timer.stop()

    def close(self) -> bool:
        """Follow nothing any more; return whether there was something to follow."""
        followed, self._frames = self._frames is not None, None
        self._timer.stop()
        return followed


def is_simulated(sweep: SweepVolume) -> bool:
    """Return whether frames of a sweep are being simulated yet."""
    return isinstance(sweep.frames, SimulatedFrames) and sweep.frames.done < len(sweep)


def stop_simulating(sweep: SweepVolume | None) -> None:
    """Simulate no further frame of a phantom that nobody looks at any more."""
    if sweep is not None and isinstance(sweep.frames, SimulatedFrames):
        sweep.frames.cancel()
