"""napari's preferences page is made of the manifest, and the engine obeys it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from napari_sem_tools.models import locations
from napari_sem_tools.models.devices import RuntimeSettings, runtime_settings

settings = pytest.importorskip("napari.settings")
pytestmark = pytest.mark.skipif(
    not hasattr(settings, "get_plugin_settings"), reason="napari before 0.9 has no such page"
)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The page of our plugin; afterwards every value is the default again."""
    for name in ("DEVICE", "TILE", "PRECISION", "BUDGET_GIB", "COMPILE", "MODELS", "OFFLINE"):
        monkeypatch.delenv(f"NAPARI_SEM_TOOLS_{name}", raising=False)
    file = tmp_path / "settings.toml"
    monkeypatch.setattr(locations, "settings_file", lambda: file)
    found = settings.get_plugin_settings("napari-sem-tools")
    yield found
    for group in ("engine", "models"):
        part = getattr(found, group)
        for name, field in type(part).model_fields.items():
            setattr(part, name, field.default)


def test_the_page_has_the_defaults_and_ranges_of_the_records(page: Any) -> None:
    fields = {field.name: field for field in RuntimeSettings.fields()}
    assert set(page.engine.model_dump()) == set(fields)
    for name, value in page.engine.model_dump().items():
        assert value == fields[name].default
        if fields[name].choices:
            assert type(page.engine).model_json_schema()["properties"][name]["enum"] == list(
                fields[name].choices
            )
    with pytest.raises(ValueError, match="less than or equal to 65536"):
        page.engine.tile = 65537


def test_what_is_set_there_counts(page: Any) -> None:
    page.engine.device = "cpu"
    page.engine.tile = 256
    page.engine.compile = True
    page.models.folders = "/lab/models"
    page.models.offline = True
    assert (runtime_settings().device, runtime_settings().tile) == ("cpu", 256)
    assert runtime_settings().compile
    page.engine.device = "subprocess"
    assert runtime_settings().device == "subprocess"
    assert locations.model_settings().offline
    assert locations.places()[-1] == locations.Place(Path("/lab/models"), "shared")


def test_argument_then_environment_then_page_then_file_then_default(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runtime_settings().tile == 0
    locations.settings_file().write_text("[engine]\ntile = 100\n")
    assert runtime_settings().tile == 100, "what the page leaves at its default is the file's"
    page.engine.tile = 200
    assert runtime_settings().tile == 200
    monkeypatch.setenv("NAPARI_SEM_TOOLS_TILE", "300")
    assert runtime_settings().tile == 300
    assert runtime_settings(tile=400).tile == 400
