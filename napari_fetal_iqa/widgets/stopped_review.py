"""A review that somebody else's change has stopped, and how its sweep is opened again."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from napari.components import ViewerModel
from napari.layers import Image

from napari_fetal_iqa.contributions.layers import METADATA_KEY
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets.viewer.foreign_changes import Place, put_back
from napari_fetal_iqa.widgets.viewer.layer_sweep import sweep_of


@dataclass(frozen=True)
class StoppedReview:
    """What is known of a review that was stopped.

    Parameters
    ----------
    sweep : SweepVolume
        As it was reviewed.
    layer : Image
    place : Place
        Of the layer when the review began.
    written : bool
        Whether somebody wrote into the sweep's pixels.
    """

    sweep: SweepVolume
    layer: Image
    place: Place
    written: bool = False

    def reopen(
        self,
        viewer: ViewerModel,
        open_layer: Callable[[Image], None],
        open_sweep: Callable[[SweepVolume], None],
    ) -> None:
        """Open the sweep again: in its layer, where its pixels lie there still.

        Where somebody put other pixels there, nothing of theirs is touched: the sweep gets a layer
        of its own. Of a stack that our reader did not bring, its present scale is believed. Pixels
        that somebody wrote into are another sweep now, which lies in no file.
        """
        is_there = self.layer in viewer.layers and self.layer.data is self.sweep.frames
        if is_there and self.layer.metadata.get(METADATA_KEY) is self.sweep:
            put_back(self.layer, self.place)
            if self.written:
                self.layer.metadata[METADATA_KEY] = replace(self.sweep, path=None)
            open_layer(self.layer)
        elif is_there and sweep_of(self.layer) is not None:
            open_layer(self.layer)
        else:
            open_sweep(self.sweep)
