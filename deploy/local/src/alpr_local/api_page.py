"""docs/api/README.md: every route of every service, what it is for and who may call it.

`python -m alpr_local.api_page` writes it from the services themselves; a test fails when the page
and the routes differ.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from fastapi.routing import iter_route_contexts

from alpr_local.folders import repository
from alpr_local.secret_files import SecretFiles

_SERVICES = {
    "ingest": "alpr_ingest",
    "matcher": "alpr_matcher",
    "alerts": "alpr_alerts",
    "access-log": "alpr_access_log",
    "identity": "alpr_identity",
}
_HEAD = """# HTTP routes

Made from the services (`python -m alpr_local.api_page`); each serves its whole description at
`/openapi.json`. Refusals are problem details (RFC 9457) with the clause that they rest on.

*May call*: `access` is somebody with an access role and current LEADS and ALPR training (131.6-1,
131.6-2), `signed_in` somebody signed in (some routes want a role: the refusal names it),
`enrolling` also somebody who has yet to set up a second factor, `camera` a camera's credential,
`public` anybody.
"""


def page() -> Path:
    return repository() / "docs/api/README.md"


def rendered() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name, package in _SERVICES.items():
        parts.append(f"## {name}\n")
        parts.append("| route | may call | |\n|---|---|---|")
        parts += sorted(_rows(_app(package)))
        parts.append("")
    return "\n".join(parts)


def _app(package: str) -> Any:
    """The service's app, built as in production, never started: it connects to nothing."""
    with tempfile.TemporaryDirectory() as folder:
        secrets = SecretFiles(Path(folder) / "secrets")
        prefix = package.upper()
        given = {
            "ALPR_TOKEN_PUBLIC_KEY_FILE": str(secrets.token_public_key),
            "ALPR_IDENTITY_TOKEN_PRIVATE_KEY_FILE": str(secrets.token_private_key),
            f"{prefix}_DATABASE_URL": "postgresql://nobody@127.0.0.1/none",
            f"{prefix}_MIGRATION_DATABASE_URL": "postgresql://nobody@127.0.0.1/none",
            f"{prefix}_SPOOL_FOLDER": str(Path(folder) / "spool"),
            "ALPR_OBJECT_STORE_URL": (Path(folder) / "objects").as_uri(),
            **_key_files(secrets, prefix),
        }
        with mock.patch.dict(os.environ, given):
            settings = importlib.import_module(f"{package}.settings").Settings()
            return importlib.import_module(f"{package}.app").build(settings)


def _key_files(secrets: SecretFiles, prefix: str) -> dict[str, str]:
    """Every `…_key_file` setting of the service; any Ed25519 key does for a description."""
    names = importlib.import_module(f"{prefix.lower()}.settings").Settings.model_fields
    return {
        f"{prefix}_{name.upper()}": str(secrets.token_private_key)
        for name in names
        if name.endswith("key_file") and name != "token_private_key_file"
    }


def _rows(app: Any) -> Iterator[str]:
    for route in iter_route_contexts(app.routes):
        if not getattr(route, "include_in_schema", False) or not hasattr(route, "dependant"):
            continue
        endpoint: Any = route.endpoint
        named = str(route.name or "").replace("_", " ").capitalize() + "."
        text = str(endpoint.__doc__ or named).strip().split("\n\n")[0]
        for method in sorted(route.methods or ()):
            yield (
                f"| `{method} {route.path}` | {_gate(route.dependant)} | "
                f"{' '.join(text.split()).replace('|', '/')} |"
            )


def _gate(dependant: Any) -> str:
    for dependency in dependant.dependencies:
        gate = getattr(dependency.call, "alpr_gate", None) or _gate(dependency)
        if gate:
            return str(gate)
    return ""


def main() -> None:
    page().write_text(rendered(), "utf-8")
    print(f"{page()} is up to date", file=sys.stderr)


if __name__ == "__main__":
    main()
