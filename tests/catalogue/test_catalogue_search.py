"""Search is exact: what a catalogue calls most alike is what the vectors say."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest
from collections_for_tests import COARSE, catalogue_at, coarse, fill, picture
from hypothesis import given
from hypothesis import strategies as st

import napari_sem_tools as sem
from napari_sem_tools.catalogue import CatalogueFilter, VectorSource
from napari_sem_tools.catalogue.database import FILE_NAME, reader, writer
from napari_sem_tools.catalogue.regions import box_round
from napari_sem_tools.catalogue.vectors import Vectors, best_rows, find_model
from napari_sem_tools.errors import InvalidSettings, MissingExtra
from napari_sem_tools.tiff import write_tiff

BULK = VectorSource("bulk-1", lambda image: np.ones(8))


def bulk(place: Path, vectors: np.ndarray, *, first: int = 0) -> None:
    """Put vectors into a catalogue as if images had been added."""
    with writer(place) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "INSERT OR IGNORE INTO models (identity, dimension) VALUES (?, ?)",
            (BULK.identity, vectors.shape[1]),
        )
        for number, vector in enumerate(vectors, first):
            day = 1 + number % 28
            image = db.execute(
                "INSERT INTO images (sha256, size_bytes, rows, columns, pages, calibration, "
                "metadata, magnification, acquired, instrument, vendor, focus) "
                "VALUES (?, 1, 32, 32, 1, '', '{}', ?, ?, ?, 'Zeiss', ?)",
                (
                    number.to_bytes(32, "big"), 1000.0 * (number % 5), f"2024-03-{day:02}",
                    f"Supra {number % 3}", number % 11,
                ),
            ).lastrowid  # fmt: skip
            db.execute(
                "INSERT INTO files (path, size_bytes, mtime_ns, image) VALUES (?, 1, 1, ?)",
                (f"/images/{number % 2}/{number:06}.tif", image),
            )
            db.execute(
                "INSERT INTO vectors (model, image, vector) VALUES (1, ?, ?)",
                (image, vector.astype("<f2").tobytes()),
            )
        db.execute("COMMIT")


def unit(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(
    st.integers(0, 60),
    st.integers(1, 70),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_the_best_rows_are_those_of_a_full_sort(count, wanted, block, some, seed) -> None:
    random = np.random.default_rng(seed)
    vectors = random.integers(-2, 3, (count, 3)).astype(np.float16)  # many ties
    query = random.integers(-2, 3, 3).astype(np.float32)
    rows = np.flatnonzero(random.random(count) < 0.5) if some else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_sem_tools.catalogue.vectors._BLOCK", block)
        found, products = best_rows(query, vectors, wanted, rows=rows)
    whole = vectors.astype(np.float32) @ query
    allowed = np.arange(count) if rows is None else rows
    expected = allowed[np.lexsort((allowed, -whole[allowed]))][:wanted]
    assert found.tolist() == expected.tolist()
    assert products.tolist() == whole[expected].tolist()


def expected_order(vectors: np.ndarray, query: np.ndarray) -> list[int]:
    half = vectors.astype(np.float16).astype(np.float32)
    return np.argsort(-(half @ query), kind="stable").tolist()


def test_the_mapped_file_the_database_and_both_together_agree(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("napari_sem_tools.catalogue.vectors._TAIL", 50)
    monkeypatch.setattr("napari_sem_tools.catalogue.vectors._BLOCK", 16)
    place, vectors, query = tmp_path / "index", unit(200), unit(1, 9)[0]
    bulk(place, vectors[:100])
    db = reader(place)
    held = Vectors(db, place, find_model(db, BULK.identity))
    for count in (100, 140, 200):  # in the file; in both; too many beside it: written anew
        known = len(db.execute("SELECT id FROM vectors").fetchall())
        bulk(place, vectors[known:count], first=known)
        ids, scores = held.search(query, 12)
        assert (ids - 1).tolist() == expected_order(vectors[:count], query)[:12]
        assert (np.diff(scores) <= 0).all()
        assert len(list(place.glob("vectors-*.f16"))) == 1
    assert [int(p.stem.rpartition("-")[2]) for p in place.glob("*.f16")] == [200]
    db.close()


@pytest.mark.parametrize("fault", ["gone", "cut", "wrong", "header"])
def test_a_damaged_mapped_file_is_made_again(fault: str, tmp_path: Path) -> None:
    place, vectors, query = tmp_path / "index", unit(60), unit(1, 9)[0]
    bulk(place, vectors)
    expected = expected_order(vectors, query)[:5]
    for _ in range(2):
        db = reader(place)
        held = Vectors(db, place, find_model(db, BULK.identity))
        assert (held.search(query, 5)[0] - 1).tolist() == expected
        db.close()
        (file,) = place.glob("*.f16")
        content = file.read_bytes()
        if fault == "gone":
            file.unlink()
        else:
            size = len(content)
            file.write_bytes(
                {
                    "cut": content[: size // 2],
                    "wrong": content[: size - 960] + bytes(960)[::-1],
                    "header": b"x" + content[1:],
                }[fault]
            )


def test_where_nobody_may_write_the_database_answers(tmp_path: Path, monkeypatch) -> None:
    from napari_sem_tools.errors import SemError

    def refused(*_: object) -> None:
        raise SemError("The disk is full.")

    monkeypatch.setattr("napari_sem_tools.catalogue.vectors.write_file", refused)
    place, vectors, query = tmp_path / "index", unit(60), unit(1, 9)[0]
    bulk(place, vectors)
    db = reader(place)
    held = Vectors(db, place, find_model(db, BULK.identity))
    assert (held.search(query, 5)[0] - 1).tolist() == expected_order(vectors, query)[:5]
    assert not list(place.glob("*.f16"))
    db.close()


def test_filters_come_before_the_search(tmp_path: Path) -> None:
    place, vectors = tmp_path / "index", unit(60)
    bulk(place, vectors)
    with catalogue_at(place, embedding=BULK) as catalogue:
        for named, kept in (
            ({"magnification_min": 2000, "magnification_max": 3000}, lambda n: n % 5 in (2, 3)),
            ({"instrument": "zeiss supra 1"}, lambda n: n % 3 == 1),
            ({"acquired_from": "2024-03-05", "acquired_to": "2024-03-06"},
             lambda n: n % 28 in (4, 5)),
            ({"acquired_to": "2024"}, lambda n: True),
            ({"acquired_from": "2025"}, lambda n: False),
            ({"focus_min": 10}, lambda n: n % 11 == 10),
            ({"folder": "/images/1"}, lambda n: n % 2 == 1),
            ({"name": "00003"}, lambda n: n in (3, *range(30, 40))),
            ({"name": "0%3"}, lambda n: False),
            ({"detector": "InLens"}, lambda n: False),
            ({"category": ""}, lambda n: True),
        ):  # fmt: skip
            expected = [n for n in range(60) if kept(n)]
            table = catalogue.query(**named, order="image")
            assert (table.index - 1).tolist() == expected, named
            alike = catalogue.similar(12, count=60, **named)
            order = [n for n in expected_order(vectors, vectors[11]) if n in expected and n != 11]
            assert sorted(alike.index - 1) == sorted(order), named
            assert (np.diff(alike["similarity"]) <= 1e-6).all()


def test_a_category_holds_its_sub_categories(tmp_path: Path) -> None:
    bulk(tmp_path / "index", unit(5))
    with catalogue_at(tmp_path / "index", embedding=BULK) as catalogue:
        catalogue.set_category(1, "Patterned_surface/Pillars", confidence=0.7, origin="model 1")
        catalogue.set_category([2, 3], "Patterned_surface")
        catalogue.set_category(3, None)
        catalogue.set_category(4, "PatternedXsurface/Pillars")
        assert catalogue.query(category="Patterned_surface").index.tolist() == [1, 2]
        assert catalogue.query(category="Patterned_surface/Pillars").index.tolist() == [1]
        assert catalogue.query(category="").index.tolist() == [3, 5]
        row = catalogue.query().loc[1]
        assert (row["category_confidence"], row["category_origin"]) == (0.7, "model 1")
        for bad in ({"category": " "}, {"category": "a", "confidence": 2.0}):
            with pytest.raises(InvalidSettings):
                catalogue.set_category(1, **bad)


def test_images_that_are_gone_are_only_found_when_asked_for(tmp_path: Path) -> None:
    bulk(tmp_path / "index", unit(6))
    with catalogue_at(tmp_path / "index", embedding=BULK) as catalogue:
        with writer(tmp_path / "index") as db:
            db.execute("UPDATE files SET gone = '2024' WHERE image = 2")
        assert 2 not in catalogue.similar(1).index and len(catalogue.similar(1)) == 4
        assert 2 in catalogue.similar(1, gone=True).index
        assert catalogue.forget_gone() == 1
        assert 2 not in catalogue.similar(1, gone=True).index
        assert len(catalogue) == 5


def test_order_and_limit(tmp_path: Path) -> None:
    bulk(tmp_path / "index", unit(12))
    with catalogue_at(tmp_path / "index", embedding=BULK) as catalogue:
        table = catalogue.query(order="focus", descending=True, limit=3)
        assert table["focus"].tolist() == [10, 9, 8]
        assert len(catalogue.query(CatalogueFilter(focus_min=3), focus_max=4)) == 2
        for wrong in ({"order": "nothing"}, {"limit": -1}, {"colour": 1}, {"focus_min": 11},
                      {"acquired_from": "May"}):  # fmt: skip
            with pytest.raises(InvalidSettings):
                catalogue.query(**wrong)
        with pytest.raises(InvalidSettings):
            catalogue.similar(1, count=0)
        with pytest.raises(InvalidSettings):
            catalogue.thumbnail(99)


def test_the_image_itself_is_not_among_those_like_it(tmp_path: Path) -> None:
    paths = fill(tmp_path / "images", 6)
    write_tiff(tmp_path / "images" / "twin.tif", picture(2))
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(tmp_path / "images")
        for image in (paths[2], str(paths[2]), sem.read(paths[2]), int(catalogue.query().index[2])):
            alike = catalogue.similar(image, count=3)
            assert Path(alike["path"].iloc[0]).name == "twin.tif"
            assert alike["similarity"].iloc[0] == pytest.approx(1, abs=2e-3)
            assert len(alike) == 3 and str(paths[2]) not in set(alike["path"])
        outside = catalogue.similar(picture(2), count=7)
        assert {Path(p).name for p in outside["path"][:2]} == {"twin.tif", "image00002.png"}


def test_more_like_this_region(tmp_path: Path) -> None:
    fill(tmp_path / "images", 8)
    scene = np.full((96, 96), 128, np.uint8)
    scene[40:72, 50:82] = picture(5)
    mask = np.zeros(scene.shape, bool)
    mask[40:72, 50:82] = True
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(tmp_path / "images")
        for region in (((40, 72), (50, 82)), mask, np.array([[40, 72], [50, 82]])):
            alike = catalogue.similar(scene, region=region, count=1)
            assert Path(alike["path"].iloc[0]).name == "image00005.png"
        whole = write_tiff(tmp_path / "images" / "scene.tif", scene)
        catalogue.add(whole)
        alike = catalogue.similar(whole, region=mask, count=9)
        assert Path(alike["path"].iloc[0]).name == "image00005.png"
        assert str(whole) not in set(alike["path"])
        for wrong in (((5, 5), (0, 9)), np.zeros(scene.shape, bool), "all", ((200, 300), (0, 9))):
            with pytest.raises(InvalidSettings):
                catalogue.similar(scene, region=wrong)


def test_vectors_of_two_embeddings_are_never_compared(tmp_path: Path) -> None:
    fill(tmp_path / "images", 4)
    with catalogue_at(tmp_path / "index") as catalogue:
        catalogue.add(tmp_path / "images")
    other = VectorSource("coarse-2", lambda image: coarse(image)[::-1])
    with (
        catalogue_at(tmp_path / "index", embedding=other) as catalogue,
        pytest.raises(InvalidSettings, match="no vectors of coarse-2"),
    ):
        catalogue.similar(tmp_path / "images" / "image00000.png")
    with (
        catalogue_at(tmp_path / "index", embedding=None) as catalogue,
        pytest.raises(InvalidSettings, match="Without vectors"),
    ):
        catalogue.similar(1)


def test_the_map_is_that_of_a_decomposition_of_the_whole(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("napari_sem_tools.catalogue.vectors._BLOCK", 7)
    vectors = unit(50) * np.array([5, 3, 1, 1, 1, 1, 1, 1], np.float32)
    bulk(tmp_path / "index", vectors)
    with catalogue_at(tmp_path / "index", embedding=BULK) as catalogue:
        table = catalogue.map()
        half = vectors.astype(np.float16).astype(float)
        left, sizes, _ = np.linalg.svd(half - half.mean(axis=0), full_matrices=False)
        for axis, name in enumerate("xy"):
            assert np.abs(table[name].to_numpy()) == pytest.approx(
                np.abs(left[:, axis] * sizes[axis]), abs=1e-4
            )
        explained = (sizes**2 / (sizes**2).sum())[:2]
        assert table.attrs["explained"] == pytest.approx(explained, abs=1e-6)
        assert len(catalogue.map(magnification_max=0)) == 10
        with pytest.raises(InvalidSettings, match="make no map"):
            catalogue.map(name="000001")


def test_a_catalogue_that_may_only_be_read_answers(tmp_path: Path, monkeypatch) -> None:
    bulk(tmp_path / "index", unit(6))
    real = os.access
    monkeypatch.setattr(
        "napari_sem_tools.catalogue.database.os.access",
        lambda path, mode: mode != os.W_OK and real(path, mode),
    )
    with catalogue_at(tmp_path / "index", embedding=BULK) as catalogue:
        assert len(catalogue.query()) == 6
    assert not (tmp_path / "index" / f"{FILE_NAME}-shm").exists()


def test_the_reader_cannot_change_anything(tmp_path: Path) -> None:
    bulk(tmp_path / "index", unit(3))
    db = reader(tmp_path / "index")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM images")
    db.close()


def test_threads_may_search_at_the_same_time(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    bulk(tmp_path / "index", unit(80))
    with catalogue_at(tmp_path / "index", embedding=BULK) as catalogue:
        alone = [catalogue.similar(n).index.tolist() for n in range(1, 9)]
        with ThreadPoolExecutor(4) as pool:
            assert (
                list(pool.map(lambda n: catalogue.similar(n).index.tolist(), range(1, 9))) == alone
            )


def test_the_texture_of_the_package_finds_the_like(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    (tmp_path / "images").mkdir()
    for number in range(3):
        fine = random.integers(0, 255, (64, 64)).astype(np.uint8)
        rough = random.integers(0, 255, (8, 8)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
        write_tiff(tmp_path / "images" / f"fine{number}.tif", fine)
        write_tiff(tmp_path / "images" / f"rough{number}.tif", rough)
    with sem.Catalogue(tmp_path / "index", focus=False) as catalogue:
        assert catalogue.add(tmp_path / "images").new == 6
        alike = catalogue.similar(tmp_path / "images" / "fine0.tif", count=2)
        assert {Path(p).stem for p in alike["path"]} == {"fine1", "fine2"}
    assert COARSE.identity != sem.Catalogue(tmp_path / "x")._source.identity


def test_a_map_of_neighbours_needs_its_library_and_says_which(tmp_path: Path, monkeypatch) -> None:
    bulk(tmp_path / "index", unit(6))
    monkeypatch.setitem(sys.modules, "umap", None)
    with catalogue_at(tmp_path / "index", embedding=BULK) as catalogue:
        with pytest.raises(MissingExtra, match="umap-learn") as caught:
            catalogue.map(method="umap")
        assert "napari-sem-tools[maps]" in caught.value.hint
        with pytest.raises(InvalidSettings, match="no map 'tsne'"):
            catalogue.map(method="tsne")


@pytest.mark.slow
def test_a_map_of_neighbours_keeps_groups_together_and_is_the_same_again(tmp_path: Path) -> None:
    pytest.importorskip("umap", reason="umap-learn is not installed; it comes with the extra maps")
    rng = np.random.default_rng(0)
    middles = np.repeat(np.eye(8, dtype=np.float32)[:3], 20, axis=0)
    bulk(tmp_path / "index", middles + rng.normal(0, 0.05, (60, 8)).astype(np.float32))
    with catalogue_at(tmp_path / "index", embedding=BULK) as catalogue:
        table = catalogue.map(method="umap")
        assert "explained" not in table.attrs
        places = table[["x", "y"]].to_numpy()
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
        np.fill_diagonal(apart, np.inf)
        assert (apart.argmin(axis=1) // 20 == np.arange(60) // 20).all()
        assert catalogue.map(method="umap")[["x", "y"]].to_numpy() == pytest.approx(places)


@given(st.integers(0, 150), st.integers(0, 150), st.integers(1, 50), st.integers(1, 50))
def test_the_box_round_a_particle_holds_it_and_stays_in_the_image(top, left, rows, columns) -> None:
    mask = np.zeros((200, 200), bool)
    mask[top : top + rows, left : left + columns] = True
    box = box_round(mask)
    inside = np.zeros_like(mask)
    inside[slice(*box[0]), slice(*box[1])] = True
    assert inside[mask].all()
    sides = [stop - first for first, stop in box]
    assert min(sides) >= 32, "half of the least side even in a corner"
    assert all(0 <= first < stop <= 200 for first, stop in box)
