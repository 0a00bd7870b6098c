import numpy as np

from napari_fetal_iqa.io.discovery import natural_order


def test_natural_order_sorts_numbers_by_value(tmp_path):
    names = ["a1", "a2", "a10", "b1", "B2", "c", "c01", "c1x"]

    shuffled = [tmp_path / names[i] for i in np.random.default_rng(0).permutation(len(names))]

    assert [path.name for path in sorted(shuffled, key=natural_order)] == names
