"""A folder as people have them: every good file is named, every bad one is said to be bad."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_sem_tools.classification import classify, teach
from napari_sem_tools.errors import Cancelled
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


def test_a_folder_that_was_stopped_goes_on_where_it_was(categories, tmp_path):
    folder, ledger = tmp_path / "many", tmp_path / "named.csv"
    for number in range(6):
        write_tiff(folder / f"{number}.tif", grain(number, 2 if number % 2 else 8))
    (folder / "bad.tif").write_bytes(b"II*\0" + bytes(20))
    asked = []

    def after_three():
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(Cancelled):
        classify(folder, categories, ledger=ledger, cancel=after_three)
    partial = tmp_path / ".named.csv.partial"
    kept = partial.read_bytes()
    assert kept.count(b"\n") == 4  # the model and three rows
    partial.write_bytes(kept + b'{"key": "cut o')  # killed in the middle of a line
    write_tiff(folder / "0.tif", grain(40, 8))  # changed meanwhile: asked anew
    table = classify(folder, categories, ledger=ledger)
    assert partial.read_bytes().count(b'"row":') == 3 + 5
    plain = classify(folder, categories)
    pd.testing.assert_frame_equal(table, plain)
    other = teach({"a": [grain(1), grain(2)], "b": [grain(3, 8), grain(4, 8)]})
    assert "p a" in classify(folder, other, ledger=ledger)  # of another model nothing is taken


@pytest.mark.data
def test_every_picture_of_the_nffa_set_goes_from_file_to_answer(shared_data):
    taught = teach(shared_data / "nffa")
    assert len(taught.names) == 10
    files = sorted((shared_data / "nffa").glob("*/*.*"))
    table = classify(files, taught)
    assert (table["error"] == "").all()
    assert len(table) == len(files) == 29
    assert (table["answer"] != "no micrograph").all()
