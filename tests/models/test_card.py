"""What a card says survives writing and reading, and nonsense is refused in a sentence."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sem_tools.errors import InvalidSettings, SemError, UntrustedModel
from napari_sem_tools.models import card as card_module
from napari_sem_tools.models.card import (
    InputSpec,
    ModelCard,
    OutputChannel,
    OutputClass,
    Score,
    TrainingData,
    WeightsFile,
    version_key,
)

from .conftest import card_for

OLD = Path(__file__).parents[1] / "data" / "old"


def full_card() -> ModelCard:
    return card_for(
        b"w",
        input=InputSpec(1, 1.0, 99.8, "standard", 0, 1, 7.34375, 24.5, 512, 92, 16),
        outputs=(OutputChannel("foreground", "inside a particle", "sigmoid"),),
        classes=(OutputClass("sphere", "#ff0000"), OutputClass("rod", "#00ff00")),
        training_data=(TrainingData("simulated", "CC0-1.0"),),
        scores=(Score("AP@0.5", 0.7, "emps", "test", 0.68, 0.72),),
        description="Finds particles.",
        code_version="0.1.0",
    )


def test_a_card_is_the_same_after_a_round_trip_through_json_and_pickle() -> None:
    card = full_card()
    assert ModelCard.from_json(card.to_json()) == card
    assert ModelCard.from_json(card.to_json()).to_json() == card.to_json()
    assert pickle.loads(pickle.dumps(card)) == card


texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=50)
texts = texts.filter(str.isprintable)


@given(
    channels=st.integers(1, 64),
    low=st.floats(0, 49),
    high=st.floats(50, 100),
    size=st.none() | st.floats(0.1, 1e5),
    multiple=st.integers(1, 64),
    meaning=texts,
    arguments=st.dictionaries(
        texts.filter(lambda t: t != "architecture"),
        st.none()
        | st.booleans()
        | st.integers(-(10**9), 10**9)
        | texts
        | st.lists(texts, max_size=3),
        max_size=4,
    ),
)
def test_any_card_that_can_be_made_can_be_read(
    channels, low, high, size, multiple, meaning, arguments
) -> None:
    spec = InputSpec(
        channels, low, high, object_size_px=size, multiple_of=multiple, tile_px=multiple * 4
    )
    card = card_for(b"w", input=spec, outputs=(OutputChannel("a", meaning),), arguments=arguments)
    assert ModelCard.from_json(card.to_json()) == card


@pytest.mark.parametrize("path", sorted(OLD.glob("card-*.json")), ids=lambda path: path.stem)
def test_cards_of_every_released_schema_still_load(path: Path) -> None:
    assert ModelCard.from_json(path.read_bytes()).name == "particles"


def test_every_schema_has_an_old_card_and_a_step_to_the_next() -> None:
    assert [int(p.stem.split("-")[1]) for p in sorted(OLD.glob("card-*.json"))] == list(
        range(1, card_module.SCHEMA + 1)
    )
    assert sorted(card_module.MIGRATIONS) == list(range(1, card_module.SCHEMA))


def test_an_older_card_is_brought_up_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(fields: dict[str, Any]) -> dict[str, Any]:
        return {{"license": "licence"}.get(k, k): v for k, v in fields.items()}

    def add_date(fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"created": "2026-01-31"}

    card = full_card()
    values = {"license" if k == "licence" else k: v for k, v in json.loads(card.to_json()).items()}
    del values["created"]
    monkeypatch.setattr(card_module, "SCHEMA", 3)
    monkeypatch.setattr(card_module, "MIGRATIONS", {1: rename, 2: add_date})
    assert ModelCard.from_dict(values | {"schema": 1}) == card
    later = json.loads(card.to_json())
    assert ModelCard.from_dict(later | {"schema": 3}) == card


def test_versions_are_ordered_by_number_not_by_letter() -> None:
    assert sorted(["1.10.0", "1.9.0", "0.11.2"], key=version_key) == ["0.11.2", "1.9.0", "1.10.0"]


BAD_FIELDS = {
    "no version": ({"version": "1"}, InvalidSettings),
    "version that leaves the folder": ({"version": "../1.0.0"}, InvalidSettings),
    "version with a leading zero": ({"version": "01.0.0"}, InvalidSettings),
    "unknown task": ({"task": "dreaming"}, InvalidSettings),
    "number as a name": ({"name": 3}, InvalidSettings),
    "name that leaves the store": ({"name": "../particles"}, UntrustedModel),
    "absolute name": ({"name": "/etc"}, UntrustedModel),
    "drive letter": ({"name": "c:"}, UntrustedModel),
    "hidden name": ({"name": ".ssh"}, UntrustedModel),
    "capital letters, which some disks confuse": ({"name": "Particles"}, UntrustedModel),
    "device of Windows": ({"name": "nul"}, UntrustedModel),
    "empty name": ({"name": ""}, UntrustedModel),
    "long name": ({"name": "a" * 65}, UntrustedModel),
    "no licence": ({"licence": ""}, InvalidSettings),
    "terminal codes in a text": ({"description": "\x1b[2Jgone"}, UntrustedModel),
    "text that turns the line around": ({"description": "a\u202eb"}, UntrustedModel),
    "endless text": ({"description": "a" * 5000}, UntrustedModel),
    "no date": ({"created": "yesterday"}, InvalidSettings),
    "unknown field": ({"exec": "rm"}, InvalidSettings),
    "arguments as a list": ({"arguments": []}, InvalidSettings),
    "argument that shadows the builder's": ({"arguments": {"architecture": 1}}, InvalidSettings),
    "outputs as a dict": ({"outputs": {}}, InvalidSettings),
    "too many classes": ({"classes": [{"name": "a"}] * 501}, UntrustedModel),
    "colour that is HTML": ({"classes": [{"name": "a", "colour": "red;}"}]}, InvalidSettings),
    "text for a number": ({"input": {"channels": "1"}}, InvalidSettings),
    "truth value for a number": ({"input": {"channels": True}}, InvalidSettings),
    "fraction for a whole number": ({"input": {"tile_px": 1.5}}, InvalidSettings),
    "number out of range": ({"input": {"channels": 0}}, InvalidSettings),
    "clip limits swapped": (
        {"input": {"clip_low_percent": 90, "clip_high_percent": 10}},
        InvalidSettings,
    ),
    "tile that is no multiple": ({"input": {"tile_px": 100, "multiple_of": 16}}, InvalidSettings),
    "tile inside its halo": ({"input": {"tile_px": 64, "halo_px": 32}}, InvalidSettings),
    "interval without the value": (
        {"scores": [{"metric": "AP", "value": 1, "data_set": "a", "split": "b", "high": 0.5}]},
        InvalidSettings,
    ),
    "newer schema": ({"schema": 99}, UntrustedModel),
    "no schema": ({"schema": None}, InvalidSettings),
    "schema as a truth value": ({"schema": True}, InvalidSettings),
}


@pytest.mark.parametrize("case", BAD_FIELDS)
def test_a_card_with_a_bad_field_is_refused_in_one_sentence(case: str) -> None:
    changes, kind = BAD_FIELDS[case]
    values = json.loads(full_card().to_json()) | changes
    with pytest.raises(kind) as caught:
        ModelCard.from_dict(values)
    assert_one_sentence(caught.value)


BAD_WEIGHTS = {
    "path": ("../weights.safetensors", UntrustedModel),
    "absolute path": ("/tmp/weights.safetensors", UntrustedModel),
    "path of Windows": ("..\\weights.safetensors", UntrustedModel),
    "pickle": ("weights.pth", UntrustedModel),
    "card": ("card.json", UntrustedModel),
    "hidden": (".safetensors", UntrustedModel),
    "device of Windows": ("con.safetensors", UntrustedModel),
    "null byte": ("a\0.safetensors", SemError),
    "line feed": ("a.safetensors\n", UntrustedModel),
}


@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_a_name_of_weights_that_is_a_path_is_refused(case: str) -> None:
    name, kind = BAD_WEIGHTS[case]
    with pytest.raises(kind) as caught:
        WeightsFile(name, "0" * 64, 10)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "0" * 63},
        {"sha256": "G" * 64},
        {"size_bytes": 0},
        {"size_bytes": 2**60},
        {"url": "file:///etc/passwd"},
        {"url": "ftp://example.org/a"},
    ],
    ids=str,
)
def test_weights_without_hash_or_of_unbearable_size_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SemError):
        dataclasses.replace(WeightsFile("a.safetensors", "0" * 64, 10), **changes)


BAD_TEXTS = {
    "nothing": b"",
    "no JSON": b"name: particles",
    "another kind": b"[]",
    "bytes that are no text": b"\xff\xfe",
    "NaN": b'{"schema": NaN}',
    "a key twice": b'{"schema": 1, "schema": 1}',
    "deep": b'{"schema": 1, "arguments": ' + b"[" * 50 + b"]" * 50 + b"}",
    "very deep": b"[" * 100_000,
    "huge": b" " * 300_000,
    "number without end": b'{"schema": ' + b"9" * 5000 + b"}",
    "empty object": b"{}",
}


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_a_text_that_is_no_card_is_refused_in_one_sentence(case: str) -> None:
    with pytest.raises((InvalidSettings, UntrustedModel)) as caught:
        ModelCard.from_json(BAD_TEXTS[case])
    assert_one_sentence(caught.value)


def test_a_key_that_stands_twice_is_refused_even_in_a_good_card() -> None:
    text = full_card().to_json().replace('"schema": 1,', '"schema": 1, "name": "other",')
    with pytest.raises(UntrustedModel, match="twice"):
        ModelCard.from_json(text)


def test_a_missing_field_is_named() -> None:
    values = json.loads(full_card().to_json())
    del values["weights"]["sha256"]
    with pytest.raises(InvalidSettings, match="weights has no field sha256"):
        ModelCard.from_dict(values)


def test_a_mistyped_field_is_answered_with_the_nearest() -> None:
    values = json.loads(full_card().to_json())
    values["licens"] = values.pop("licence")
    with pytest.raises(InvalidSettings) as caught:
        ModelCard.from_dict(values)
    assert caught.value.hint == "Did you mean licence?"


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.data())
def test_any_value_anywhere_gives_a_card_or_one_of_our_errors(data: st.DataObject) -> None:
    values = copy.deepcopy(json.loads(full_card().to_json()))
    place = values
    key = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    place[key] = data.draw(json_values)
    try:
        found = ModelCard.from_dict(values)
    except SemError as error:
        assert_one_sentence(error)
    else:
        assert ModelCard.from_json(found.to_json()) == found


def assert_one_sentence(error: SemError) -> None:
    text = str(error)
    assert text and text[-1] == "." and "\n" not in text and len(text) < 400
    assert text.isprintable()
