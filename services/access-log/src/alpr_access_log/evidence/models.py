"""Which weights made the reads of a package: names from the reads, hashes from the models."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alpr_common.messages.read import Read


def models_of(folder: Path, reads: Iterable[Read]) -> list[dict[str, Any]]:
    """Each name that the reads carry, with the shipped model of that version where there is one.

    A read names its model `<folder> <version>`; weights of somebody else's have no config here and
    stay a name, as do those of a version that was replaced since.
    """
    names = sorted({n for r in reads for n in (r.detector_model, r.reader_model) if n})
    shipped = [config for config in map(_config, sorted(folder.glob("*/config.json"))) if config]
    return [{"name": name, "shipped": _shipped(name, shipped)} for name in names]


def _shipped(name: str, shipped: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((c for c in shipped if name == f"{c['folder']} {c.get('version')}"), None)


def _config(path: Path) -> dict[str, Any] | None:
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    wanted = ("version", "kind", "sha256")
    return {"folder": path.parent.name} | {n: config[n] for n in wanted if n in config}
