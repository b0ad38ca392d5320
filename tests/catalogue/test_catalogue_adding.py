"""A folder is catalogued file by file: what changed is looked at, what failed is named."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from collections_for_tests import COARSE, catalogue_at, fill, picture, png, score
from PIL import Image

from napari_sem_tools.catalogue import Added, Failure, VectorSource, adding, database
from napari_sem_tools.catalogue.database import FILE_NAME
from napari_sem_tools.catalogue.entries import file_sha256
from napari_sem_tools.errors import Cancelled, OutputExists, SemError, UnreadableFile
from napari_sem_tools.files import only_writer
from napari_sem_tools.tiff import write_tiff


def names(table) -> list[str]:
    return [Path(path).name for path in table["path"]]


def test_each_image_is_added_once_with_what_is_known_of_it(tmp_path: Path) -> None:
    paths = fill(tmp_path / "images" / "deep", 3)
    with catalogue_at(tmp_path / "index") as catalogue:
        assert catalogue.add(tmp_path / "images") == Added(new=3)
        assert catalogue.add(tmp_path / "images") == Added(known=3)
        table = catalogue.query()
        assert list(table["path"]) == [str(path) for path in paths]
        assert table["rows"].tolist() == [32, 32, 32]
        assert table["focus"].tolist() == pytest.approx(
            [picture(n).mean() / 25.5 for n in range(3)]
        )
        assert len(catalogue) == catalogue.counts().vectors == 3


def test_a_known_file_is_not_opened_again(tmp_path: Path, monkeypatch) -> None:
    fill(tmp_path / "images", 2)
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(tmp_path / "images")
        monkeypatch.setattr("napari_sem_tools.catalogue.adding.file_sha256", None)
        assert catalogue.add(tmp_path / "images").known == 2


def test_a_moved_file_is_recognised_by_its_content_and_keeps_its_category(tmp_path: Path) -> None:
    fill(tmp_path / "images", 3)
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(tmp_path / "images")
        catalogue.set_category(catalogue.query().index, "Powder")
        (tmp_path / "images").rename(tmp_path / "elsewhere")
        assert catalogue.add(tmp_path / "elsewhere") == Added(moved=3)
        table = catalogue.query()
        assert all("elsewhere" in path for path in table["path"])
        assert set(table["category"]) == {"Powder"}
        assert not table["gone"].any() and len(catalogue) == 3


def test_a_copy_is_one_image_at_two_places(tmp_path: Path) -> None:
    (path,) = fill(tmp_path / "images", 1)
    shutil.copy(path, tmp_path / "images" / "other name.png")
    with catalogue_at(tmp_path / "index") as catalogue:
        assert catalogue.add(tmp_path / "images") == Added(new=1, copies=1)
        assert catalogue.query()["copies"].tolist() == [1]


def test_a_deleted_file_is_marked_and_comes_back_with_its_category(tmp_path: Path) -> None:
    paths = fill(tmp_path / "images", 3)
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(tmp_path / "images")
        catalogue.set_category(catalogue.query().index[0], "Tips")
        content, times = paths[0].read_bytes(), os.stat(paths[0])
        paths[0].unlink()
        assert catalogue.add(tmp_path / "images") == Added(known=2, gone=1)
        assert names(catalogue.query()) == ["image00001.png", "image00002.png"]
        assert catalogue.query(gone=True)["gone"].tolist() == [True, False, False]
        assert catalogue.counts().gone == 1
        paths[0].write_bytes(content)
        os.utime(paths[0], ns=(times.st_atime_ns, times.st_mtime_ns))
        assert catalogue.add(tmp_path / "images") == Added(known=3)
        assert catalogue.query()["category"].tolist()[0] == "Tips"


def test_a_file_that_is_overwritten_becomes_another_image(tmp_path: Path) -> None:
    (path,) = fill(tmp_path / "images", 1)
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(tmp_path / "images")
        path.write_bytes(png(picture(77, side=64)))
        assert catalogue.add(tmp_path / "images") == Added(new=1)
        assert catalogue.query()["rows"].tolist() == [64]
        assert catalogue.forget_gone() == 1
        assert len(catalogue) == 1


def test_a_file_touched_without_a_change_stays_the_same_image(tmp_path: Path) -> None:
    (path,) = fill(tmp_path / "images", 1)
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(tmp_path / "images")
        os.utime(path, ns=(1, 1))
        assert catalogue.add(tmp_path / "images") == Added(known=1)
        assert catalogue.query()["copies"].tolist() == [0]


def odd_folder(folder: Path) -> dict[str, str]:
    """Write good and bad images; return the names of the bad with a word of the reason."""
    folder.mkdir()
    whole = png(picture(1))
    (folder / "good8.png").write_bytes(whole)
    sixteen = picture(2).astype(np.uint16) * 257
    write_tiff(folder / "good16.tif", sixteen)
    colour = np.stack([picture(n) for n in (3, 4, 5)], axis=-1)
    (folder / "goodrgb.png").write_bytes(png(colour))
    Image.fromarray(picture(6)).convert("P").save(folder / "goodpalette.png")
    Image.fromarray(picture(7) > 99).save(folder / "good1bit.png")
    write_tiff(folder / "goodfloat.tif", picture(8).astype(np.float32) / 255)
    write_tiff(folder / "goodstack.tif", np.stack([picture(9)] * 3))
    huge = np.kron(picture(10), np.ones((150, 150), np.uint8))
    (folder / "goodhuge.png").write_bytes(png(huge, compress_level=1))
    (folder / "onepixel.png").write_bytes(png(np.zeros((1, 1), np.uint8)))
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.tif").write_bytes(b"")
    (folder / "text.jpg").write_bytes(b"this is no picture at all, whatever its name says")
    (folder / "garbage.tif").write_bytes(b"II*\0" + bytes(range(256)) * 9)
    (folder / "bomb.png").write_bytes(whole[:16] + (900_000).to_bytes(4, "big") * 2 + whole[24:])
    return {
        "onepixel.png": "1 x 1",
        "cut.png": "damaged",
        "empty.tif": "empty",
        "text.jpg": "text.jpg",
        "garbage.tif": "garbage.tif",
        "bomb.png": "bomb.png",
    }


def test_of_odd_images_every_good_one_is_done_and_every_bad_one_is_named(tmp_path: Path) -> None:
    bad = odd_folder(tmp_path / "images")
    good = {p.name for p in (tmp_path / "images").iterdir()} - set(bad)
    heard: list[Failure] = []
    with catalogue_at(tmp_path / "index") as catalogue:
        added = catalogue.add(tmp_path / "images", failed=heard.append)
        assert set(names(catalogue.query())) == good
        assert added == Added(new=len(good), failed=len(bad))
        found = {failure.path.name: failure for failure in catalogue.failures()}
        assert set(found) == {failure.path.name for failure in heard} == set(bad)
        for name, word in bad.items():
            assert word in found[name].message and found[name].message.endswith(".")
            assert found[name].hint
        assert not catalogue.failures(tmp_path / "index")
        for image in catalogue.query().index:
            with Image.open(io.BytesIO(catalogue.thumbnail(image))) as small:
                assert small.format == "JPEG" and max(small.size) <= 128


def test_a_failed_file_is_named_again_and_tried_again_when_asked(tmp_path: Path) -> None:
    tmp_path.joinpath("images").mkdir()
    path = tmp_path / "images" / "a.png"
    path.write_bytes(b"no picture")
    with catalogue_at(tmp_path / "index") as catalogue:
        assert catalogue.add(path).failed == 1
        heard: list[Failure] = []
        assert catalogue.add(path, failed=heard.append).failed == 1 and len(heard) == 1
        times = os.stat(path)
        path.write_bytes(png(picture(1))[:10])  # the same size and time: a repaired disk
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert catalogue.add(path, again=True).failed == 1
        path.write_bytes(png(picture(1)))
        assert catalogue.add(path) == Added(new=1)
        assert catalogue.failures() == []


def test_a_fault_of_the_embedding_names_the_file_and_the_others_go_on(tmp_path: Path) -> None:
    fill(tmp_path / "images", 3)

    def faulty(image):
        if image.name == "image00001":
            raise ZeroDivisionError("by nought")
        return np.ones(3)

    with catalogue_at(tmp_path / "index", embedding=VectorSource("f", faulty)) as catalogue:
        assert catalogue.add(tmp_path / "images") == Added(new=2, failed=1)
        assert "ZeroDivisionError" in catalogue.failures()[0].message


@pytest.mark.parametrize("vector", [np.zeros(3), np.full(3, np.nan), np.ones((2, 2)), np.ones(4)])
def test_a_vector_that_cannot_be_compared_is_refused(vector, tmp_path: Path) -> None:
    fill(tmp_path / "images", 2)
    made = {"image00000": np.ones(3), "image00001": vector}
    source = VectorSource("s", lambda image: made[image.name])
    with catalogue_at(tmp_path / "index", embedding=source) as catalogue:
        assert catalogue.add(tmp_path / "images") == Added(new=1, failed=1)
        assert len(catalogue) == 1


def test_another_embedding_adds_its_vectors_to_known_images(tmp_path: Path) -> None:
    fill(tmp_path / "images", 4)
    other = VectorSource("other-1", lambda image: np.ones(5))
    for embedding, added in (
        (None, Added(new=4)),
        (COARSE, Added(known=4)),
        (other, Added(known=4)),
    ):
        with catalogue_at(tmp_path / "index", embedding=embedding) as catalogue:
            assert catalogue.add(tmp_path / "images") == added
            assert catalogue.counts().vectors == (0 if embedding is None else 4)


def test_hidden_files_results_and_the_catalogue_itself_are_passed_by(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    fill(tmp_path / ".hidden", 1, first=5)
    fill(tmp_path / "out" / "labels", 1, first=6)
    for name in ("report.html", "summary.json", "particles.csv"):
        (tmp_path / "out" / name).write_text("")
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(tmp_path)
        fill(tmp_path / "index", 1, first=7)
        assert catalogue.add([tmp_path, tmp_path / "image00000.png"]) == Added(known=2)


def test_a_link_that_leads_back_up_is_not_followed(tmp_path: Path) -> None:
    fill(tmp_path / "images", 2)
    (tmp_path / "images" / "up").symlink_to(tmp_path / "images", target_is_directory=True)
    with catalogue_at(tmp_path / "index") as catalogue:
        assert catalogue.add(tmp_path / "images") == Added(new=2)


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_is_named_by_its_codes(tmp_path: Path) -> None:
    (path,) = fill(tmp_path / "images", 1)
    os.rename(path, os.path.join(os.fsencode(tmp_path / "images"), b"b\xff.png"))
    with catalogue_at(tmp_path / "index") as catalogue:
        assert catalogue.add(tmp_path / "images") == Added(failed=1)
        assert "Rename" in catalogue.failures()[0].hint


def test_cancelling_keeps_what_was_done_and_the_next_run_goes_on(tmp_path: Path) -> None:
    fill(tmp_path / "images", 6)
    seen: list[tuple[int, int, str]] = []
    with catalogue_at(tmp_path / "index") as catalogue:
        with pytest.raises(Cancelled):
            catalogue.add(
                tmp_path / "images",
                progress=lambda *step: seen.append(step),
                cancel=lambda: len(seen) == 4,
            )
        assert len(catalogue) == 3 or len(catalogue) == 4
        done = len(catalogue)
        assert catalogue.add(tmp_path / "images") == Added(known=done, new=6 - done)
    assert [step[:2] for step in seen] == [(n, 6) for n in range(4)]


def test_a_file_that_changes_while_it_is_read_is_tried_again(tmp_path: Path) -> None:
    (path,) = fill(tmp_path / "images", 1)

    def growing(image):
        path.write_bytes(path.read_bytes() + b"more")
        return score(image)

    with catalogue_at(tmp_path / "index", focus=growing) as catalogue:
        assert catalogue.add(path) == Added(failed=1)
        assert "changed while" in catalogue.failures()[0].message
    with catalogue_at(tmp_path / "index") as catalogue:
        assert catalogue.add(path) == Added(new=1)


def test_a_second_writer_is_refused_and_readers_go_on(tmp_path: Path) -> None:
    fill(tmp_path / "images", 2)
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(tmp_path / "images")
        with only_writer(tmp_path / "index" / FILE_NAME):
            with pytest.raises(OutputExists, match="another run"):
                catalogue.add(tmp_path / "images")
            assert len(catalogue.query()) == 2


def test_a_reader_sees_a_run_grow_batch_by_batch(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("napari_sem_tools.catalogue.adding._COMMIT_EVERY", 2)
    fill(tmp_path / "images", 6)
    seen: list[int] = []
    with catalogue_at(tmp_path / "index") as catalogue, catalogue_at(tmp_path / "index") as other:
        catalogue.add(tmp_path / "images", progress=lambda done, *_: seen.append(len(other)))
        assert seen == [0, 0, 2, 2, 4, 4, 6]
        assert catalogue.similar(tmp_path / "images" / "image00003.png", count=9).shape[0] == 5


@pytest.mark.parametrize("journal", ["wal", "rollback"])
def test_either_journal_holds_the_same(journal: str, tmp_path: Path) -> None:
    fill(tmp_path / "images", 3)
    with catalogue_at(tmp_path / "index", journal=journal) as catalogue:
        catalogue.add(tmp_path / "images")
        assert catalogue.counts().journal == {"wal": "wal", "rollback": "delete"}[journal]
        assert len(catalogue.query()) == 3


def test_on_a_network_share_the_rollback_journal_is_used(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("napari_sem_tools.catalogue.database.on_network_share", lambda place: True)
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(fill(tmp_path / "images", 1))
        assert catalogue.counts().journal == "delete"


def test_where_the_log_does_not_work_the_rollback_journal_is_used(tmp_path, monkeypatch) -> None:
    real = database._journal

    def broken(connection: sqlite3.Connection, mode: str) -> str:
        if mode == "WAL":
            raise sqlite3.OperationalError("locking protocol")
        return real(connection, mode)

    monkeypatch.setattr(database, "_journal", broken)
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(fill(tmp_path / "images", 1))
        assert catalogue.counts().journal == "delete"


def test_the_kind_of_a_disk_is_read_from_the_list_of_mounts() -> None:
    from napari_sem_tools.catalogue.database import _kind_of_mount

    mounts = (
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "40 22 0:30 / /lab\\040data rw shared:1 - cifs //server/lab rw\n"
        "41 40 0:31 / /lab\\040data/fast rw - xfs /dev/sdb1 rw\n"
    )
    assert _kind_of_mount(mounts, "/lab data/a/index") == "cifs"
    assert _kind_of_mount(mounts, "/lab data/fast/index") == "xfs"
    assert _kind_of_mount(mounts, "/lab database") == "ext4"


def test_without_a_catalogue_nothing_is_made_and_the_path_is_named(tmp_path: Path) -> None:
    with catalogue_at(tmp_path / "index") as catalogue:
        with pytest.raises(UnreadableFile, match="no catalogue at"):
            catalogue.query()
        with pytest.raises(UnreadableFile, match="no file or folder"):
            catalogue.add(tmp_path / "nothing")
        with pytest.raises(UnreadableFile, match="no catalogue at"):
            catalogue.set_category(1, "Tips")
        with pytest.raises(UnreadableFile, match="no catalogue at"):
            catalogue.forget_gone()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_and_the_next_run_goes_on(tmp_path: Path, monkeypatch) -> None:
    fill(tmp_path / "images", 120)
    real = database._create

    def small(connection: sqlite3.Connection) -> None:
        real(connection)
        connection.execute("PRAGMA max_page_count = 36")

    with catalogue_at(tmp_path / "index") as catalogue:
        monkeypatch.setattr(adding, "_COMMIT_EVERY", 5)
        monkeypatch.setattr(database, "_create", small)
        with pytest.raises(SemError, match="full"):
            catalogue.add(tmp_path / "images")
        done = len(catalogue)
        assert 0 < done < 120 and done % 5 == 0
        monkeypatch.setattr(database, "_create", real)
        assert catalogue.add(tmp_path / "images") == Added(known=done, new=120 - done)


@pytest.mark.parametrize("content", [b"SQLite format 3\0" + b"x" * 5000, b"no database" * 400])
def test_a_damaged_catalogue_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / FILE_NAME).write_bytes(content)
    with catalogue_at(tmp_path / "index") as catalogue:
        with pytest.raises(UnreadableFile, match="damaged"):
            catalogue.query()
        with pytest.raises(UnreadableFile, match="damaged"):
            catalogue.add(tmp_path)


def test_another_programs_database_and_a_later_catalogue_are_refused(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    other = sqlite3.connect(tmp_path / "index" / FILE_NAME)
    other.execute("CREATE TABLE theirs (a)")
    other.commit()
    other.close()
    with (
        catalogue_at(tmp_path / "index") as catalogue,
        pytest.raises(UnreadableFile, match="is no catalogue"),
    ):
        catalogue.add(tmp_path)
    with catalogue_at(tmp_path / "later") as catalogue:
        catalogue.add(fill(tmp_path / "images", 1))
    later = sqlite3.connect(tmp_path / "later" / FILE_NAME)
    later.execute("PRAGMA user_version = 99")
    later.close()
    with (
        catalogue_at(tmp_path / "later") as catalogue,
        pytest.raises(UnreadableFile, match="later version"),
    ):
        catalogue.query()


def test_the_metadata_of_the_microscope_are_kept(tmp_path: Path) -> None:
    from napari_sem_tools.micrograph import Calibration

    path = write_tiff(tmp_path / "a.tif", picture(1), calibration=Calibration((2.5, 2.5), "typed"))
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(path)
        row = catalogue.query().iloc[0]
        assert row["pixel_size_nm"] == pytest.approx(2.5)
        found = catalogue.metadata(row.name)
        assert json.loads(json.dumps(found)) == found
    assert len(file_sha256(path)) == 32


@pytest.mark.data
def test_real_files_bring_magnification_date_and_instrument(
    shared_data: Path, tmp_path: Path
) -> None:
    files = sorted((shared_data / "vendor").rglob("*.tif"))[:8]
    with catalogue_at(tmp_path / "index") as catalogue:
        added = catalogue.add(files)
        assert added.new + added.copies + added.failed == len(files)
        table = catalogue.query()
        assert table["magnification"].notna().any() and table["acquired"].notna().any()
        lowest = table["magnification"].min()
        assert len(catalogue.query(magnification_max=lowest)) >= 1


@pytest.mark.data
def test_every_nffa_picture_at_hand_is_catalogued_with_the_packaged_texture(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "nffa"
    count = sum(1 for path in folder.rglob("*") if path.suffix in (".png", ".jpg"))
    with catalogue_at(tmp_path / "index", embedding="texture") as catalogue:
        added = catalogue.add(folder)
        assert (added.new + added.copies, added.failed) == (count, 0)
        assert catalogue.counts().vectors == added.new
        table = catalogue.query(limit=1)
        assert len(catalogue.similar(table["path"].iloc[0], count=5)) == 5
