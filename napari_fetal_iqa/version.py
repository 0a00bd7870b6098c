"""The version of this tool, as stores, caches, cards and results name it."""

from importlib.metadata import version

TOOL_VERSION = version("napari-fetal-iqa")
