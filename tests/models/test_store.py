"""A model is there whole or not at all, is never replaced, and says when it was changed."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_sem_tools.errors import (
    Cancelled,
    InvalidSettings,
    ModelNotFound,
    OutputExists,
    SemError,
    UnreadableFile,
    UntrustedModel,
)
from napari_sem_tools.models import store as store_module
from napari_sem_tools.models.archive import open_archive, write_archive
from napari_sem_tools.models.card import ModelCard, WeightsFile
from napari_sem_tools.models.locations import ModelSettings, Place, load_settings, places
from napari_sem_tools.models.store import Store
from napari_sem_tools.models.transfer import export_model, import_model
from napari_sem_tools.models.weights import (
    TensorSpec,
    check_shapes,
    describe,
    read_header,
    read_verified,
)

from .conftest import card_for, safetensors_bytes
from .test_card import assert_one_sentence

Keep = Callable[..., ModelCard]


def tree(folder: Path) -> dict[str, bytes]:
    """Everything below a folder, hidden files included."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# -- keeping, finding, removing ------------------------------------------------------------


def test_a_kept_model_is_found_by_name_and_by_version(store: Store, keep: Keep, weights) -> None:
    keep(weights)
    newer = safetensors_bytes({"conv.weight": np.zeros((2, 1, 3, 3))})
    keep(newer, version="1.10.0")
    keep(weights, version="1.9.0")
    assert store.names() == ("particles",)
    assert store.find("particles").card.version == "1.10.0"
    assert store.find("particles@1.9.0").card.version == "1.9.0"
    assert store.weights("particles").read_bytes() == newer


def test_a_missing_model_is_answered_with_the_nearest_name(store: Store, keep, weights) -> None:
    keep(weights)
    with pytest.raises(ModelNotFound) as caught:
        store.find("partcles")
    assert caught.value.hint == "Did you mean particles?"


def test_keeping_the_same_model_twice_changes_nothing(store: Store, keep: Keep, weights) -> None:
    keep(weights)
    before = {p: p.stat().st_mtime_ns for p in store.user_folder.rglob("*")}
    keep(weights)
    assert {p: p.stat().st_mtime_ns for p in store.user_folder.rglob("*")} == before


def test_a_version_is_never_replaced_by_other_weights(store: Store, keep: Keep, weights) -> None:
    keep(weights)
    before = tree(store.user_folder)
    with pytest.raises(UntrustedModel, match="never replaced"):
        keep(safetensors_bytes({"conv.weight": np.zeros(3)}))
    assert tree(store.user_folder) == before


def test_of_two_programs_that_keep_a_model_at_once_the_first_wins(
    store: Store, card: ModelCard, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = store_module.place_folder

    def late(built: Path, target: Path) -> Path:
        monkeypatch.setattr(store_module, "place_folder", place)
        store.add(card, lambda out: out.write(weights))
        return place(built, target)

    monkeypatch.setattr(store_module, "place_folder", late)
    assert store.add(card, lambda out: out.write(weights)).card == card
    assert sorted(tree(store.user_folder)) == [
        "particles/1.0.0/card.json",
        "particles/1.0.0/weights.safetensors",
    ]


def test_a_removed_model_leaves_nothing(store: Store, keep: Keep, weights: bytes) -> None:
    keep(weights)
    store.remove("particles")
    assert store.names() == ()
    assert list(store.user_folder.iterdir()) == []


def test_removing_one_version_keeps_the_others(store: Store, keep: Keep, weights: bytes) -> None:
    keep(weights)
    keep(weights, version="2.0.0")
    store.remove("particles@1.0.0")
    assert [e.card.version for e in store.entries()] == ["2.0.0"]


def test_a_crash_long_ago_is_swept_and_one_of_today_is_left_alone(
    store: Store, keep: Keep, weights: bytes
) -> None:
    old, new = (store.user_folder / "particles" / f".1.0.0.{n}.partial" for n in "ab")
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").write_bytes(b"half")
    os.utime(old, (0, 0))
    keep(weights)
    assert not old.exists()
    assert new.exists()
    assert store.names() == ("particles",)


# -- places --------------------------------------------------------------------------------


def test_models_of_a_shared_folder_are_read_and_never_written(
    tmp_path: Path, store: Store, keep: Keep, weights: bytes
) -> None:
    keep(weights)
    shared = tmp_path / "share"
    shutil.copytree(store.user_folder, shared)
    before = tree(shared)
    lab = Store([Place(tmp_path / "mine", "user"), Place(shared, "shared")])
    assert lab.weights("particles").is_relative_to(shared)
    assert all(verdict.good for verdict in lab.verify())
    with pytest.raises(SemError, match="not yours to remove"):
        lab.remove("particles")
    assert tree(shared) == before
    assert not (tmp_path / "mine").exists()


def test_nobody_can_put_another_model_in_the_place_of_a_packaged_one(
    tmp_path: Path, weights: bytes
) -> None:
    other = safetensors_bytes({"evil": np.zeros(1)})
    packaged, shared = tmp_path / "packaged", tmp_path / "share"
    Store([Place(packaged, "user")]).add(card_for(weights), lambda out: out.write(weights))
    Store([Place(shared, "user")]).add(card_for(other), lambda out: out.write(other))
    lab = Store([Place(packaged, "packaged"), Place(shared, "shared")])
    assert lab.weights("particles").read_bytes() == weights
    assert "another model" in lab.scan()[1][0].reason
    assert [verdict.good for verdict in lab.verify()] == [True, False]


def test_a_share_that_is_away_is_an_empty_one(tmp_path: Path) -> None:
    assert Store([Place(tmp_path / "nowhere", "shared")]).names() == ()


def test_more_folders_come_from_the_environment_before_the_file(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = own_home / "xdg_config_home" / "napari-sem-tools" / "settings.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[models]\nmodels = "/share/a"\noffline = true\n')
    assert [p.folder for p in places()[2:]] == [Path("/share/a")]
    monkeypatch.setenv("NAPARI_SEM_TOOLS_MODELS", os.pathsep.join(["/share/b", "/share/c"]))
    assert [p.folder for p in places()[2:]] == [Path("/share/b"), Path("/share/c")]
    assert [p.origin for p in places()] == ["packaged", "user", "shared", "shared"]
    assert load_settings(ModelSettings, "models").offline
    monkeypatch.setenv("NAPARI_SEM_TOOLS_OFFLINE", "0")
    assert not load_settings(ModelSettings, "models").offline
    assert load_settings(ModelSettings, "models", offline=True).offline
    assert load_settings(ModelSettings, "models", preferences={"models": "/d"}).models != "/d"


@pytest.mark.parametrize("text", ["[models", "models = 3", '[models]\noffline = "maybe"\n'])
def test_a_settings_file_with_a_mistake_is_named(own_home: Path, text: str) -> None:
    config = own_home / "xdg_config_home" / "napari-sem-tools" / "settings.toml"
    config.parent.mkdir(parents=True)
    config.write_text(text)
    with pytest.raises(InvalidSettings):
        places()


# -- weights that are not what they should be ----------------------------------------------


def header_only(text: bytes, body: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text + body


HOSTILE_WEIGHTS = {
    "nothing": b"",
    "a pickle": b"\x80\x02c__builtin__\neval\n",
    "header longer than the file": (10**6).to_bytes(8, "little") + b"{}",
    "header of exabytes": b"\xff" * 8 + b"{}",
    "header that is no JSON": header_only(b"{a}"),
    "header that is a list": header_only(b"[]"),
    "deep header": header_only(b'{"a":' + b"[" * 30 + b"]" * 30 + b"}"),
    "a tensor twice": header_only(b'{"a":{},"a":{}}'),
    "tensor without place": header_only(b'{"a":{"dtype":"F32","shape":[1]}}', b"0000"),
    "unknown type": header_only(b'{"a":{"dtype":"OBJ","shape":[1],"data_offsets":[0,4]}}', b"0000"),
    "shape larger than its bytes": header_only(
        b'{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4]}}', b"0000"
    ),
    "negative shape": header_only(
        b'{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}', b"0000"
    ),
    "bytes outside the file": header_only(
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', b"0000"
    ),
    "overlap": header_only(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        b"0000",
    ),
    "hole": header_only(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', b"00000000"),
    "bytes of no tensor": header_only(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"00001111"
    ),
    "more in the row": header_only(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"code":"x"}}', b"0000"
    ),
    "nine dimensions": header_only(
        b'{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}', b"0000"
    ),
}


@pytest.mark.parametrize("case", HOSTILE_WEIGHTS)
def test_hostile_weights_are_refused_and_nothing_is_kept(
    case: str, store: Store, tmp_path: Path
) -> None:
    data = HOSTILE_WEIGHTS[case]
    card = card_for(data or b"x")
    if not data:
        card = card.replace(weights=WeightsFile("weights.safetensors", "0" * 64, 1))
    before = tree(tmp_path)
    with pytest.raises(UntrustedModel) as caught:
        store.add(card, lambda out: out.write(data))
    assert_one_sentence(caught.value)
    assert ".partial" not in str(caught.value)
    assert tree(tmp_path) == before
    with pytest.raises(UntrustedModel):
        read_header(data)


def test_good_weights_are_described_by_their_header(weights: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(weights)
    assert read_header(path) == {
        "conv.weight": TensorSpec("F32", (2, 1, 3, 3)),
        "conv.bias": TensorSpec("F32", (2,)),
    }
    assert describe(path) == describe(weights) == card_for(weights).weights


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"conv.weight": (2, 1, 3, 3)}, "unknown to the architecture"),
        ({"conv.weight": (4, 1, 3, 3), "conv.bias": (2,)}, "has shape"),
        ({"conv.weight": (2, 1, 3, 3), "conv.bias": (2,), "head": (1,)}, "lack"),
    ],
)
def test_weights_of_another_network_are_refused_before_they_are_loaded(
    weights: bytes, expected: dict[str, tuple[int, ...]], words: str
) -> None:
    found = read_header(weights)
    check_shapes(found, {"conv.weight": (2, 1, 3, 3), "conv.bias": (2,)})
    with pytest.raises(UntrustedModel, match=words) as caught:
        check_shapes(found, expected)
    assert_one_sentence(caught.value)


def test_one_changed_bit_is_found_by_use_and_by_verify(store, keep: Keep, weights) -> None:
    keep(weights)
    path = store.weights("particles")
    path.write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(UntrustedModel, match="SHA-256"):
        store.weights("particles")
    with pytest.raises(UntrustedModel, match="SHA-256"):
        read_verified(path, store.find("particles").card.weights)
    (verdict,) = store.verify()
    assert not verdict.good
    assert verdict.key == "particles@1.0.0"


def test_verify_reports_progress_and_can_be_cancelled(store, keep: Keep, weights) -> None:
    keep(weights)
    seen: list[float] = []
    assert store.verify(progress=lambda d, t, w: seen.append(d / t))[0].good
    assert seen == sorted(seen) and seen[-1] == 1
    with pytest.raises(Cancelled):
        store.verify(cancel=lambda: True)


def test_missing_weights_are_a_sentence(store: Store, keep: Keep, weights: bytes) -> None:
    keep(weights)
    store.weights("particles").unlink()
    with pytest.raises(UnreadableFile, match="missing"):
        store.weights("particles")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_weights_that_are_a_pipe_or_a_link_are_refused_at_once(store, keep, weights) -> None:
    keep(weights)
    path = store.weights("particles")
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")
    with pytest.raises(UntrustedModel, match="link"):
        store.weights("particles")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UntrustedModel) as caught:
        store.weights("particles")
    assert_one_sentence(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_that_nobody_writes_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused: list[str] = []

    def read() -> None:
        try:
            read_header(tmp_path / "pipe")
        except UntrustedModel as error:
            refused.append(str(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert refused and "not a plain file" in refused[0]


def test_a_model_is_not_written_through_a_link_that_leads_out(
    store: Store, card: ModelCard, weights: bytes, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    store.user_folder.mkdir(parents=True)
    (store.user_folder / "particles").symlink_to(outside, target_is_directory=True)
    with pytest.raises(UntrustedModel, match="leads out"):
        store.add(card, lambda out: out.write(weights))
    assert list(outside.iterdir()) == []


def test_a_card_under_another_name_is_a_problem_not_a_model(store, keep, weights) -> None:
    keep(weights)
    (store.user_folder / "particles").rename(store.user_folder / "spheres")
    assert store.names() == ()
    assert "particles@1.0.0" in store.scan()[1][0].reason
    assert not store.verify()[0].good


# -- one file ------------------------------------------------------------------------------


def test_a_model_travels_as_one_file(store: Store, keep: Keep, weights, tmp_path: Path) -> None:
    card = keep(weights)
    stick = tmp_path / "stick"
    stick.mkdir()
    path = export_model(store, "particles", stick)
    assert path.name == "particles-1.0.0.zip"
    other = Store([Place(tmp_path / "other", "user")])
    assert import_model(other, path) == card
    assert other.weights("particles").read_bytes() == weights


def test_the_same_model_gives_the_same_file(store: Store, keep: Keep, weights, tmp_path) -> None:
    keep(weights)
    first = export_model(store, "particles", tmp_path / "a.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert {m.date_time for m in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    os.utime(store.weights("particles"), (10**9, 10**9))
    assert export_model(store, "particles", tmp_path / "b.zip").read_bytes() == first


def test_an_export_does_not_replace_a_file_unasked(store, keep: Keep, weights, tmp_path) -> None:
    keep(weights)
    path = tmp_path / "a.zip"
    path.write_bytes(b"mine")
    with pytest.raises(OutputExists):
        export_model(store, "particles", path)
    assert path.read_bytes() == b"mine"
    assert export_model(store, "particles", path, overwrite=True).read_bytes() != b"mine"


def test_a_changed_model_is_not_exported(store: Store, keep: Keep, weights, tmp_path) -> None:
    keep(weights)
    store.weights("particles").write_bytes(weights[:-1] + b"!")
    with pytest.raises(UntrustedModel):
        export_model(store, "particles", tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def zipped(*members: tuple[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as file:
        for name, data in members:
            file.writestr(name, data)
    return out.getvalue()


def linked(name: str, target: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        member = zipfile.ZipInfo(name)
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(member, target)
    return out.getvalue()


def with_link(archive: bytes) -> bytes:
    out = io.BytesIO(archive)
    with zipfile.ZipFile(out, "a") as file:
        member = zipfile.ZipInfo("notes")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(member, "/etc/passwd")
    return out.getvalue()


def hostile_archives(data: bytes, card: ModelCard) -> dict[str, bytes]:
    text = card.to_json().encode()
    good = zipped(("card.json", text), ("weights.safetensors", data))
    bomb = card.replace(weights=WeightsFile("weights.safetensors", "0" * 64, 10**9))
    path_in_card = text.replace(b'"weights.safetensors"', b'"../../weights.safetensors"')
    zeros = ("weights.safetensors", bytes(50 * 1024**2))
    return {
        "no zip": b"hello",
        "empty": b"",
        "cut short": good[: len(good) // 2],
        "cut at its end": good[:-10],
        "damaged inside": good.replace(data[-20:], bytes(20)),
        "no card": zipped(("weights.safetensors", data)),
        "no weights": zipped(("card.json", text)),
        "parent folder": zipped(("card.json", text), ("../weights.safetensors", data)),
        "absolute path": zipped(("card.json", text), ("/tmp/weights.safetensors", data)),
        "path of Windows": zipped(("card.json", text), ("..\\weights.safetensors", data)),
        "drive letter": zipped(("card.json", text), ("c:weights.safetensors", data)),
        "link": linked("card.json", "/etc/passwd"),
        "link beside a good model": with_link(good),
        "way out beside a good model": zipped(
            ("card.json", text), ("weights.safetensors", data), ("a/../../b", b"")
        ),
        "path in the card": zipped(("card.json", path_in_card), ("weights.safetensors", data)),
        "other weights": zipped(("card.json", text), ("weights.safetensors", data[:-1] + b"!")),
        "longer weights": zipped(("card.json", text), ("weights.safetensors", data + b"?")),
        "bomb in the weights": zipped(
            ("card.json", bomb.to_json().encode()), zeros, kind=zipfile.ZIP_DEFLATED
        ),
        "bomb in the card": zipped(("card.json", bytes(10**7)), kind=zipfile.ZIP_DEFLATED),
        "names that differ in case": zipped(
            ("card.json", text), ("weights.safetensors", data), ("Card.json", text)
        ),
        "thousands of files": zipped(*((f"f{i}", b"") for i in range(1001))),
        "other compression": zipped(("card.json", text), kind=zipfile.ZIP_BZIP2),
        "a card from the future": zipped(
            ("card.json", text.replace(b'"schema": 1', b'"schema": 99')),
            ("weights.safetensors", data),
        ),
    }


@pytest.mark.parametrize("case", hostile_archives(b"0" * 64, card_for(b"0" * 64)))
def test_a_hostile_archive_is_refused_and_nothing_is_written(
    case: str, store: Store, card: ModelCard, weights: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "in" / "model.zip"
    path.parent.mkdir()
    path.write_bytes(hostile_archives(weights, card)[case])
    before = tree(tmp_path)
    with pytest.raises((UntrustedModel, UnreadableFile, InvalidSettings)) as caught:
        import_model(store, path)
    assert_one_sentence(caught.value)
    assert tree(tmp_path) == before


def test_an_archive_with_a_name_twice_is_refused(store, card, weights, tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped(("card.json", b"{}"), ("card.json", card.to_json().encode()))
    path.write_bytes(data)
    with pytest.raises(UntrustedModel, match="twice"):
        import_model(store, path)


def test_a_size_that_the_table_of_contents_lies_about_is_counted(tmp_path: Path) -> None:
    data = zipped(("card.json", bytes(5 * 1024**2)), kind=zipfile.ZIP_DEFLATED)
    path = tmp_path / "model.zip"
    path.write_bytes(data)
    with open_archive(path) as archive, pytest.raises(UntrustedModel, match="unpacks to more"):
        archive.read("card.json", max_bytes=10**9)


def test_a_file_with_the_wrong_hash_is_not_even_opened(store, keep, weights, tmp_path) -> None:
    keep(weights)
    path = export_model(store, "particles", tmp_path / "a.zip")
    other = Store([Place(tmp_path / "other", "user")])
    with pytest.raises(UntrustedModel, match="SHA-256"):
        import_model(other, path, sha256="0" * 64)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert import_model(other, path, sha256=right).name == "particles"


def test_a_missing_file_is_a_sentence(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        import_model(store, tmp_path / "nothing.zip")


def test_bare_weights_are_kept_with_the_card_given_for_them(
    store: Store, weights: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(weights)
    with pytest.raises(SemError, match="says nothing about its model"):
        import_model(store, path)
    kept = import_model(store, path, card=card_for(b"other"))
    assert kept.weights == card_for(weights).weights
    assert store.weights("particles").read_bytes() == weights


def test_a_full_disk_leaves_no_trace(store: Store, card: ModelCard, tmp_path: Path) -> None:
    def full(out: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(SemError, match="No space left"):
        store.add(card, full)
    assert tree(tmp_path) == {}


def test_an_archive_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(SemError):
        write_archive(tmp_path / "a.zip", {"a": b"1", "b": tmp_path / "missing"})
    assert list(tmp_path.iterdir()) == []
