"""What npe2 asks for by the names in ``napari.yaml``: reader, writer, sample data."""
