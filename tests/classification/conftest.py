"""What is taught and named is tested with the fast embedding, torch or not, unless it is named."""

import pytest


@pytest.fixture(autouse=True)
def texture_by_default(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``"auto"`` be the embedding of the texture where a test does not need torch."""
    if request.node.get_closest_marker("torch") is None:
        monkeypatch.setattr("napari_sem_tools.classification.learned.has_network", lambda: False)
