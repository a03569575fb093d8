"""The double's hot list: the matcher's own checks, entries in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Depends, FastAPI, File, UploadFile

from alpr_common.auth import Gate, Principal
from alpr_common.plates import match_key, normalize
from alpr_common.policy import Policy, Role
from alpr_matcher import domain as hot_list


class HotListRoutes:
    """Part of `Double`, which holds what these routes keep."""

    gate: Gate
    policy: Policy
    entries: dict[str, dict[str, Any]]
    versions: dict[str, list[dict[str, Any]]]

    def _hot_list(self, app: FastAPI) -> None:
        access = Depends(self.gate.access())
        importers = Depends(self.gate.access(Role.SUPERVISOR, Role.ADMINISTRATOR))

        @app.post("/v1/hotlist/entries", status_code=201)
        async def add(body: dict[str, Any], caller: Principal = access) -> dict[str, Any]:
            now = datetime.now(UTC)
            until = body.get("expires_at")
            ends = hot_list.manual_expiry(
                until and datetime.fromisoformat(until), now, self.policy, now
            )
            category = hot_list.known_category(body.get("category", ""), self.policy)
            entry = {
                **{k: body.get(k) for k in ("case_number", "vehicle", "caution", "category")},
                "entry_id": str(uuid4()), "plate": hot_list.plain_plate(body.get("plate", "")),
                "reason": hot_list.stated_reason(body.get("reason")), "source": "manual",
                "jurisdiction": hot_list.plain_jurisdiction(body.get("jurisdiction")),
                "priority": category.priority, "effective_at": now.isoformat(),
                "expires_at": ends.isoformat(), "state": "live", "added_by_name": caller.name,
            }  # fmt: skip
            self._keep(entry, "added", caller, str(entry["reason"]))
            return entry

        @app.get("/v1/hotlist/entries")
        async def entries(
            plate: str = "", category: str = "", state: str = "live", _p: Principal = access
        ) -> dict[str, Any]:
            key = match_key(normalize(plate))
            fit = [
                e for e in reversed(self.entries.values())
                if (not key or match_key(e["plate"]) == key)
                and category in ("", e["category"]) and state in ("all", e["state"])
            ]  # fmt: skip
            return {"items": fit, "next_cursor": None}

        @app.get("/v1/hotlist/entries/{entry_id}")
        async def entry(entry_id: str, _p: Principal = access) -> dict[str, Any]:
            return self.entries[entry_id]

        @app.get("/v1/hotlist/entries/{entry_id}/history")
        async def history(entry_id: str, _p: Principal = access) -> dict[str, Any]:
            return {"items": self.versions[entry_id], "next_cursor": None}

        @app.post("/v1/hotlist/entries/{entry_id}/retract")
        async def retract(
            entry_id: str, body: dict[str, Any], caller: Principal = access
        ) -> dict[str, Any]:
            why = hot_list.stated_reason(body.get("reason"))
            entry = self.entries[entry_id] | {"state": "retracted"}
            self._keep(entry, "retracted", caller, why)
            return entry

        @app.post("/v1/hotlist/import")
        async def import_file(
            file: Annotated[UploadFile, File()], source: str = "import", _p: Principal = importers
        ) -> dict[str, Any]:
            lines = (await file.read()).decode().splitlines()[1:]
            bad = [n for n, line in enumerate(lines, 2) if line.startswith(",")]
            return {
                "added": len(lines) - len(bad), "changed": 0, "unchanged": 0,
                "rejected": [{"line": n, "what": "there is no plate"} for n in bad],
                "rejected_count": len(bad), "source": source,
            }  # fmt: skip

    def _keep(self, entry: dict[str, Any], change: str, caller: Principal, why: str) -> None:
        self.entries[entry["entry_id"]] = entry
        version = {
            "change": change, "changed_at": datetime.now(UTC).isoformat(),
            "person_name": caller.name, "why": why,
        }  # fmt: skip
        self.versions.setdefault(entry["entry_id"], []).insert(0, version)
