"""A folder as people have them: every good file is named, every bad one is said to be bad."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_sem_tools.classification import classify, teach
from napari_sem_tools.tiff import write_tiff


def grain(seed, blur=2, size=(96, 128)):
    """Return a texture."""
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=size), blur)
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


@pytest.fixture(scope="module")
def categories():
    """Return two categories."""
    return teach(
        {"fine": [grain(k, 2) for k in range(3)], "coarse": [grain(k, 8) for k in range(3)]}
    )


def test_every_good_file_is_named_and_every_bad_one_said(categories, tmp_path):
    one = grain(9)
    write_tiff(tmp_path / "16bit.tif", one.astype(np.uint16) * 200)
    Image.fromarray(np.stack([one] * 3, axis=-1)).save(tmp_path / "rgb.png")
    Image.fromarray(one).convert("P").save(tmp_path / "palette.png")
    write_tiff(tmp_path / "huge.tif", np.tile(one, (30, 30)))
    write_tiff(tmp_path / "one-pixel.tif", np.zeros((1, 1), np.uint8))
    (tmp_path / "corrupt.tif").write_bytes(b"II*\0" + bytes(20))
    (tmp_path / "empty.png").write_bytes(b"")
    table = classify(tmp_path, categories).set_index("image")
    table.index = [name.rsplit("/", 1)[-1].rsplit("\\", 1)[-1] for name in table.index]
    bad = set(table.index[table["error"] != ""])
    assert bad == {"one-pixel.tif", "corrupt.tif", "empty.png"}
    good = table[table["error"] == ""]
    assert good["confidence"].notna().all()
    assert good.loc[["16bit.tif", "rgb.png", "palette.png"], "category"].tolist() == ["fine"] * 3
    same = good.loc[["16bit.tif", "rgb.png", "palette.png"], "p fine"]
    assert np.ptp(same.to_numpy()) < 0.01  # the format of a file tells nothing


@pytest.mark.data
def test_every_picture_of_the_nffa_set_goes_from_file_to_answer(shared_data):
    taught = teach(shared_data / "nffa")
    assert len(taught.names) == 10
    files = sorted((shared_data / "nffa").glob("*/*.*"))
    table = classify(files, taught)
    assert (table["error"] == "").all()
    assert len(table) == len(files) == 29
    assert (table["answer"] != "no micrograph").all()
