"""The process in which the window's networks run: frames come in, results go out.

A process of its own keeps the window smooth while torch is loaded and works, keeps a crash or
an out-of-memory kill away from the expert's strokes, and gives the graphics memory back when it
ends. (It also keeps the LLVM of torch's compiler apart from that of the graphics driver: the
two in one process crash on some Linux machines.)

Parent and child speak in pickles over the child's own standard input and output; nobody else
can write there.
"""

import importlib
import logging
import os
import pickle
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

import fetal_iqa_models
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.graphics_card import may_have_graphics_card
from fetal_iqa_models.installation import naming_what_is_left_out
from napari_fetal_iqa.analysis.analyser import Analyser
from napari_fetal_iqa.analysis.engine import Engine
from napari_fetal_iqa.analysis.precisions import AskedPrecision
from napari_fetal_iqa.analysis.result import AnalysisSetup, FrameResults
from napari_fetal_iqa.errors import FetalIqaError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Load:
    """Load these models; answered by an AnalysisSetup or a Failure."""

    cls_model: str
    seg_model: str
    device: str = "auto"
    engine: Engine = "auto"
    precision: AskedPrecision = "auto"


@dataclass(frozen=True, eq=False)
class Batch:
    """Analyse these frames, (n, H, W) uint8; answered by FrameResults or a Failure."""

    numbers: NDArray[np.int64]
    images: NDArray[np.uint8]
    spacing_mm: tuple[float, float] | None
    field_of_view: NDArray[np.bool_]
    half_the_cores: bool = False  # the rest is for the window, where frames are being scrubbed
    cascade: float | None = None  # least quality of what is outlined


@dataclass(frozen=True)
class Failure:
    """What went wrong: one line, and for the curious the rest; None for a user's error."""

    message: str
    details: str | None = None


Request = Load | Batch
Answer = AnalysisSetup | FrameResults | Failure


def send(stream: IO[bytes], message: Request | Answer) -> None:
    """Write one message."""
    pickle.dump(message, stream, protocol=5)
    stream.flush()


def receive(stream: IO[bytes]) -> Request | Answer:
    """Read one message; EOFError where there are no more."""
    message: Request | Answer = pickle.load(stream)  # noqa: S301 - only parent and child write
    return message


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more, or the parent is gone.

    A parent that is killed while it asks, or while it waits, leaves half a request and a pipe that
    nobody reads: no news for the terminal that it was started from.
    """
    service = _Service()
    with suppress(EOFError, BrokenPipeError, ConnectionError, pickle.UnpicklingError):
        while True:
            send(answers, service.answer(receive(requests)))


def import_ahead() -> None:
    """Import what computes on the CPU, while nobody has asked for anything yet."""
    if may_have_graphics_card():
        return  # torch computes, and takes long to come
    with suppress(ImportError, ModelError):  # whoever needs it is told why
        importlib.import_module("openvino")
        _ = fetal_iqa_models.CompiledPredictor


class _Service:
    def __init__(self) -> None:
        self._analyser: Analyser | None = None

    def answer(self, request: Request | Answer) -> Answer:
        try:
            with naming_what_is_left_out():
                return self._answer(request)
        except (FetalIqaError, ModelError) as error:
            return Failure(error.in_window)  # the window alone asks
        except Exception as error:
            message = f"the analysis failed: {type(error).__name__}: {error}"
            return Failure(message, traceback.format_exc())

    def _answer(self, request: Request | Answer) -> Answer:
        if isinstance(request, Load):
            self._analyser = None
            self._analyser = Analyser(
                request.cls_model or None,
                request.seg_model or None,
                request.device,
                engine=request.engine,
                precision=request.precision,
            ).load()
            return self._analyser.setup
        if self._analyser is None or not isinstance(request, Batch):
            raise RuntimeError("frames came before models")
        self._analyser.use_cores(half=request.half_the_cores)
        return self._analyser.run_batch(
            request.numbers,
            request.images,
            request.spacing_mm,
            request.field_of_view,
            request.cascade,
        )


def main() -> None:
    """Serve the parent; whatever prints goes to standard error."""
    # a library that prints, in Python or in C, would else write between two pickles
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # an interrupt in the terminal is the window's, which ends this process when it has saved
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import_ahead()
    serve(sys.stdin.buffer, answers)
    with suppress(OSError):  # what could not be written
        answers.close()


if __name__ == "__main__":
    # Pickle knows classes by module name: be imported under the real one, not as __main__.
    from napari_fetal_iqa.analysis import worker_process

    worker_process.main()
