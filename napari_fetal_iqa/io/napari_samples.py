"""Phantom sweeps for File > Open Sample (npe2 sample data contribution)."""

from napari_fetal_iqa.io.napari_layers import LayerData, sweep_layer
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom


def small_phantom() -> list[LayerData]:
    """Simulate a coarse phantom; takes about a second."""
    return [sweep_layer(make_phantom(PhantomSettings.small()).sweep)]


def demo_phantom() -> list[LayerData]:
    """Simulate six short sweeps of full resolution; takes some seconds."""
    return [sweep_layer(make_phantom(PhantomSettings.demo()).sweep)]
