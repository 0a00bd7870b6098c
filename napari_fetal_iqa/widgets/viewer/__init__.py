"""All that draws in napari's canvas or reads its layers."""
