"""``python -m napari_fetal_iqa`` is the command ``napari-fetal-iqa``."""

from napari_fetal_iqa.cli import main

main()
