"""The history of an alert in people's words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alpr_console.domain.alert import HistoryStep

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("step", "reason", "said"),
    [
        ("rejected", "not_the_vehicle", "Because: not the vehicle"),
        ("closed", "gone to lot_7", "Because: gone to lot_7"),
    ],
)
def test_codes_are_told_in_words_and_words_as_they_were_written(
    step: str, reason: str, said: str
) -> None:
    one = HistoryStep(step=step, occurred_at=NOW, details={"reason": reason})
    assert one.evidence == (said,)
