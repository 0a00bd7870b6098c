"""Simulated blind sweeps with a known abdomen: what demo, tests and docs run on."""

from napari_fetal_iqa.phantom.case import PhantomCase, make_phantom
from napari_fetal_iqa.phantom.settings import PhantomSettings

__all__ = ["PhantomCase", "PhantomSettings", "make_phantom"]
