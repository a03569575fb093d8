"""How long to wait before something that is away is tried again."""

import random
from collections.abc import Iterator

_BACKOFF_FIRST_SECONDS = 0.1
_BACKOFF_MOST_SECONDS = 5.0


def backoff_seconds() -> Iterator[float]:
    """Seconds to wait: doubling, with jitter so that consumers do not come back in step."""
    seconds = _BACKOFF_FIRST_SECONDS
    while True:
        yield seconds * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        seconds = min(seconds * 2, _BACKOFF_MOST_SECONDS)
