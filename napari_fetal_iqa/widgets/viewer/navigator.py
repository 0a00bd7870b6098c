"""Moving along the frames of the viewer."""

from napari.components import Dims
from napari.layers import Image

from napari_fetal_iqa.sweep import SweepVolume


class Navigator:
    """Goes from frame to frame of one sweep, whatever other layers are in the viewer."""

    def __init__(self, dims: Dims, layer: Image, sweep: SweepVolume) -> None:
        self._dims = dims
        self._layer = layer
        self._sweep = sweep

    @property
    def _axis(self) -> int:
        return int(self._dims.ndim) - 3  # napari aligns the last axes of all layers

    @property
    def _position(self) -> int:
        world = self._dims.point[self._axis]
        return round((world - self._layer.translate[0]) / self._layer.scale[0])

    @property
    def on_sweep(self) -> bool:
        """Whether a frame of the sweep is on the screen; a longer layer may lie beside it."""
        return 0 <= self._position < len(self._sweep)

    @property
    def frame(self) -> int:
        """The frame being looked at, or the nearest to it."""
        return self.within(self._position)

    def within(self, frame: int) -> int:
        """Return the frame of the sweep that is nearest to a number."""
        return max(0, min(frame, len(self._sweep) - 1))

    def go(self, frame: int) -> None:
        """Look at a frame; beyond either end, at the last one there."""
        frame = self.within(frame)
        if frame != self._position:
            world = frame * self._layer.scale[0] + self._layer.translate[0]
            self._dims.set_point(self._axis, world)

    def step(self, frames: int) -> None:
        """Go some frames on, or back."""
        self.go(self.frame + frames)

    def step_sweep(self, sweeps: int) -> None:
        """Go some sweeps on, or back, to the same place in it where there is one."""
        sweep, frame_in_sweep = self._sweep.locate(self.frame)
        wanted = max(0, min(sweep + sweeps, len(self._sweep.bounds) - 1))
        start, stop = self._sweep.bounds[wanted]
        self.go(min(start + frame_in_sweep, stop - 1))

    def go_to_end(self, last: bool) -> None:
        """Go to the first or the last frame of this sweep."""
        start, stop = self._sweep.bounds[self._sweep.locate(self.frame)[0]]
        self.go(stop - 1 if last else start)
