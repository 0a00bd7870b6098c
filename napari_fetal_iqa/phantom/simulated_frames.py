"""Frames of a phantom that are simulated while the first ones are looked at."""

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.phantom.simulation import Simulation

_WAITS, _BEGUN, _DONE = range(3)


class SimulatedFrames:
    """A read-only (T, H, W) uint8 array-like: a frame is rendered when it is asked for.

    Safe to index from several threads; no frame is rendered twice. After :meth:`show_at_once` a
    window waits for none: one that is missing is black until it is there.

    Parameters
    ----------
    simulation : Simulation
    finished : callable, optional
        Called once, in a thread of its own, with all frames when the last is rendered.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(
        self,
        simulation: Simulation,
        finished: Callable[[NDArray[np.uint8]], None] | None = None,
    ) -> None:
        self._simulation = simulation
        settings = simulation.settings
        self.shape = (settings.n_frames, *settings.shape)
        self._pixels = np.zeros(self.shape, np.uint8)
        self._frames = self._pixels.view()
        self._frames.flags.writeable = False
        self._finished = finished
        self._states = bytearray(len(self))
        self._done = 0
        self._next = 0
        self._wanted: list[int] = []
        self._window: int | None = None
        self._black: int | None = None
        self._changed = threading.Condition()
        self._cancelled = False

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def done(self) -> int:
        """How many frames are rendered."""
        return self._done

    @property
    def cancelled(self) -> bool:
        """Whether no further frame will be rendered."""
        return self._cancelled

    def cancel(self) -> None:
        """Render no further frame; one that is asked for is an error from now on."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def show_at_once(self) -> None:
        """Let the calling thread, that of a window, wait for no frame that it is to show.

        A frame is to be shown where it alone is asked for as napari does, ``frames[number, rows,
        columns]`` or ``frames[number : number + 1, rows, columns]``. One that is missing is black,
        is rendered before all others, and is :attr:`missing` until it is there.
        """
        self._window = threading.get_ident()

    @property
    def missing(self) -> int | None:
        """The frame that is shown black; None where what is shown is what was simulated."""
        return self._black

    def has(self, frame: int) -> bool:
        """Whether a frame is rendered."""
        return self._states[frame] == _DONE

    def simulate_in_background(self) -> list[threading.Thread]:
        """Render the rest in daemon threads, as many as there are cores."""
        threads = [
            threading.Thread(target=self._render_all, daemon=True, name="simulate phantom")
            for _ in range(os.cpu_count() or 1)
        ]
        for thread in threads:
            thread.start()
        return threads

    def __getitem__(self, index: Any) -> Any:
        first = index[0] if isinstance(index, tuple) and index else index
        if isinstance(first, (int, np.integer)):
            frame = int(first) + (len(self) if first < 0 else 0)
            needed = [frame] if 0 <= frame < len(self) else []  # numpy raises the IndexError
        elif isinstance(first, slice):
            needed = list(range(len(self))[first])
        else:
            needed = list(range(len(self)))
        if len(needed) == 1 and isinstance(index, tuple) and threading.get_ident() == self._window:
            return self._at_once(needed[0], index)
        for frame in needed:
            self._await(frame)
        return self._frames[index]

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[frame] for frame in range(len(self)))

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self[:], dtype=dtype, copy=copy)

    def _at_once(self, frame: int, index: tuple[Any, ...]) -> Any:
        with self._changed:
            if self._states[frame] == _DONE:
                self._black = None
                return self._frames[index]
            self._black = frame
            if frame not in self._wanted:
                self._wanted.append(frame)
            # not a view of what is still to come: a reader would see half of it
            return np.zeros_like(self._frames[index])

    def _render_all(self) -> None:
        while (frame := self._following()) is not None:
            if self._take(frame):
                self._render(frame)

    def _following(self) -> int | None:
        """Return the frame to render next: what was looked at last; None at the end."""
        with self._changed:
            if self._cancelled:
                return None
            if self._wanted:
                return self._wanted.pop()
            frame, self._next = self._next, self._next + 1
            return frame if frame < len(self) else None

    def _take(self, frame: int) -> bool:
        """Reserve a frame for this thread; False where another has it."""
        with self._changed:
            if self._cancelled or self._states[frame] != _WAITS:
                return False
            self._states[frame] = _BEGUN
            return True

    def _render(self, frame: int) -> None:
        pixels = self._simulation.render(frame).pixels
        with self._changed:
            self._pixels[frame] = pixels
            self._states[frame] = _DONE
            self._done += 1
            last = self._done == len(self)
            self._changed.notify_all()
        if last and self._finished is not None:
            # not in this thread, which may be that of a window
            threading.Thread(target=self._finished, args=(self._frames,), daemon=True).start()

    def _await(self, frame: int) -> None:
        if self._states[frame] == _DONE:
            return
        if self._take(frame):
            self._render(frame)
            return
        with self._changed:
            self._changed.wait_for(lambda: self._states[frame] == _DONE or self._cancelled)
            if self._states[frame] != _DONE:
                raise SweepError("phantom: its simulation was cancelled; open it again")
