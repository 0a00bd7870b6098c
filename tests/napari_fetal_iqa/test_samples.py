"""The phantoms that demo and File > Open Sample open."""

import numpy as np
import pytest

from napari_fetal_iqa import places, samples
from napari_fetal_iqa.phantom import PhantomSettings
from napari_fetal_iqa.sweep import SweepVolume


@pytest.fixture
def quick(monkeypatch):
    """Make the demo phantom a small one."""
    small = PhantomSettings.small()
    monkeypatch.setattr(PhantomSettings, "demo", classmethod(lambda cls: small))
    return small


def test_the_demo_phantom_is_simulated_once(quick, monkeypatch):
    first = samples.demo_sweep()
    monkeypatch.setattr(samples, "make_phantom", None)
    again = samples.demo_sweep()
    assert again.identity == first.identity
    assert again.bounds == first.bounds
    assert again.spacing_mm == pytest.approx(first.spacing_mm)


def test_a_damaged_or_unwritable_cache_only_costs_time(quick, caplog):
    first = samples.demo_sweep()
    (cached,) = places.cache().iterdir()
    cached.write_bytes(b"no sweep")
    assert samples.demo_sweep().identity == first.identity
    cached.unlink()
    places.cache().rmdir()
    places.cache().write_text("in the way")
    assert samples.demo_sweep().identity == first.identity
    assert "could not be cached" in caplog.text


def test_samples_are_layers_for_napari(quick):
    for (data, attributes, kind), *_ in (samples.demo_phantom(), samples.small_phantom()):
        assert kind == "image"
        assert data.dtype == np.uint8
        assert isinstance(attributes["metadata"]["fetal_iqa_sweep"], SweepVolume)
