"""What was computed of images is theirs, whatever their list says next time."""

import numpy as np
from PIL import Image

from fetal_iqa_training.data.planes import PlaneImage, planes_hash


def test_another_order_or_other_pixels_are_other_images(tmp_path):
    for name in "ab":
        Image.fromarray(np.full((8, 8), ord(name), np.uint8)).save(tmp_path / f"{name}.png")
    one, other = (PlaneImage(tmp_path / f"{name}.png", name, "brain") for name in "ab")
    known = planes_hash((one, other))
    assert planes_hash((other, one)) != known
    planes_hash.cache_clear()
    assert planes_hash((one, other)) == known
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    planes_hash.cache_clear()
    assert planes_hash((one, other)) != known
