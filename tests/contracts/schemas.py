"""Schemas of the messages, reduced to what a receiver depends on.

`python -m tests.contracts.schemas` stores those that are not stored yet. A stored schema is what
was promised: it is never written again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alpr_common.messages.base import Message
from alpr_common.topics import TOPICS

FOLDER = Path(__file__).parent / "v1"
_WORDS = frozenset({"title", "description"})


def file_of(message: type[Message], kind: str) -> Path:
    """The stored example (`kind` "json") or schema ("schema.json") of a message."""
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in message.__name__).strip("_")
    return FOLDER / f"{name.replace('hot_list', 'hotlist')}.{kind}"


def messages() -> list[type[Message]]:
    return list({topic.message for topic in TOPICS if topic.name.endswith(".v1")})


def objects_of(message: type[Message]) -> dict[str, Any]:
    """The message and everything nested in it, by name: properties, what is required, enums."""
    schema = message.model_json_schema()
    nested = schema.pop("$defs", {})
    return {name: _bare(found) for name, found in {message.__name__: schema, **nested}.items()}


def _bare(schema: Any) -> Any:
    """Without titles and prose: those may be improved."""
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, value in schema.items():
        if key == "properties":
            found[key] = {name: _bare(inner) for name, inner in value.items()}
        elif key not in _WORDS:
            found[key] = _bare(value)
    return found


def broken_promises(stored: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What a receiver or a sender of the stored version would stumble over."""
    faults = []
    for name, before in stored.items():
        after = now.get(name)
        if after is None:
            faults.append(f"{name} is gone")
            continue
        old, new = before.get("properties", {}), after.get("properties", {})
        faults += [f"{name}.{field} is gone" for field in old if field not in new]
        faults += [
            f"{name}.{field} means something else now"
            for field in old
            if field in new and old[field] != new[field]
        ]
        was, must = set(before.get("required", [])), set(after.get("required", []))
        faults += [f"{name}.{field} was made required" for field in must - was]
        faults += [f"{name}.{field} is no longer always there" for field in was - must]
        if before.get("enum") != after.get("enum"):
            faults.append(f"{name} has other values")
    return sorted(faults)


def main() -> None:
    for message in messages():
        file = file_of(message, "schema.json")
        if not file.exists():
            file.write_text(json.dumps(objects_of(message), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
