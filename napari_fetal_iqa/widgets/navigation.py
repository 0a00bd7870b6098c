"""Moving along the frames of the viewer."""

from napari.components import Dims

from napari_fetal_iqa.sweep import SweepVolume


class Navigator:
    """Goes from frame to frame of one sweep, in a viewer whose first axis is time."""

    def __init__(self, dims: Dims, sweep: SweepVolume) -> None:
        self._dims = dims
        self._sweep = sweep

    @property
    def frame(self) -> int:
        """The frame being looked at."""
        return min(int(self._dims.current_step[0]), len(self._sweep) - 1)

    def go(self, frame: int) -> None:
        """Look at a frame; beyond either end, at the last one there."""
        frame = max(0, min(frame, len(self._sweep) - 1))
        if frame != self.frame:
            self._dims.set_current_step(0, frame)

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
