"""The service's outside: its routes, its readiness, its settings."""

from pathlib import Path

import httpx
import pytest

from alpr_common.auth import ungated_routes
from alpr_common.settings import CommonSettings
from alpr_recognizer.app import build
from alpr_recognizer.domain import ReadingLimits, WeightsRefused
from alpr_recognizer.settings import Settings
from alpr_recognizer.weights import limits_of


def test_every_route_declares_its_gate() -> None:
    assert ungated_routes(build(Settings())) == []


async def test_it_is_not_ready_before_models_are_loaded_and_partitions_assigned() -> None:
    # Without its lifespan nothing has been loaded.
    transport = httpx.ASGITransport(build(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/ready")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "failing": ["models"]}


async def test_it_does_not_start_without_weights(tmp_path: Path) -> None:
    app = build(Settings(common=CommonSettings(models_folder=tmp_path)))
    with pytest.raises(WeightsRefused):
        async with app.router.lifespan_context(app):
            pass


def test_limits_are_the_readers_own_unless_the_settings_say_otherwise() -> None:
    own = ReadingLimits(2, least_confidence=0.55)
    assert limits_of(Settings(), own) == own
    assert limits_of(Settings(shortest_text=4, least_confidence=0.7), own) == ReadingLimits(
        4, least_confidence=0.7
    )


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPR_RECOGNIZER_PORT", "9123")
    monkeypatch.setenv("ALPR_RECOGNIZER_READER", "/models/ocr.onnx")
    monkeypatch.setenv("ALPR_MODELS_FOLDER", "/models")
    settings = Settings()
    assert settings.port == 9123
    assert settings.reader == Path("/models/ocr.onnx")
    assert settings.common.models_folder == Path("/models")
