"""Identity's answers to an audit, as it gives them, without identity."""

from __future__ import annotations

from typing import Any

import httpx

PASSWORD_SECURITY: dict[str, Any] = {
    "agency_id": "IL0222900",
    "policy": {
        "policy_version": "1", "password_min_characters": 12, "password_max_characters": 200,
        "password_hash": "argon2id", "banned_passwords": 10000, "sign_in_failures_max": 5,
        "sign_in_failure_window_seconds": 900, "session_idle_seconds": 3600,
        "session_max_seconds": 43200, "access_token_seconds": 900, "inactive_days_max": 90,
        "second_factor_roles": ["administrator", "officer"],
    },
    "accounts": [
        {"role": "administrator", "active": 2, "disabled": 0, "locked": 0, "never_signed_in": 0},
        {"role": "officer", "active": 31, "disabled": 4, "locked": 1, "never_signed_in": 2},
    ],
    "second_factors": [
        {"role": "administrator", "required": True, "accounts": 2, "totp": 1, "passkey": 1,
         "none": 0},
        {"role": "officer", "required": True, "accounts": 31, "totp": 20, "passkey": 8, "none": 3},
    ],
    "password_ages": {
        "buckets": [
            {"from_days": 0, "to_days": 30, "accounts": 4},
            {"from_days": 30, "to_days": 90, "accounts": 11},
            {"from_days": 90, "to_days": 365, "accounts": 15},
            {"from_days": 365, "to_days": None, "accounts": 3},
        ],
        "oldest_days": 512, "median_days": 121,
    },
    "passwords_set_by_administrators": 3,
    "passwords_changed_by_people": 21,
    "lockouts": [
        {"person_id": "p-3", "username": "okafor", "name": "Ben Okafor",
         "locked_at": "2026-03-04T06:12:00+00:00", "failures": 5, "address": "192.0.2.44",
         "released_at": "2026-03-04T08:30:00+00:00", "released_by": "admin"},
    ],
    "releases": 1,
    "closed_accounts": [
        {"person_id": "p-9", "username": "lund", "name": "Ida Lund", "role": "officer",
         "standing": "unused", "last_used_at": "2026-01-10T08:00:00+00:00"},
    ],
    "sign_ins": {
        "done": 4120, "refused": 97, "by_method": {"password": 3100, "passkey": 1020},
        "by_second_factor": {"totp": 3100}, "refused_because": {"wrong_password": 90, "locked": 7},
        "by_day": [],
    },
}  # fmt: skip
TRAINING: dict[str, Any] = {
    "agency_id": "IL0222900",
    "people": [
        {"person_id": "ann", "username": "miller", "name": "Ann Miller", "role": "officer",
         "active": True, "training": [
             {"kind": "leads", "valid_until": "2027-05-01", "certificate": "L-1",
              "recorded_by": "admin", "recorded_at": "2025-05-01T08:00:00+00:00"},
             {"kind": "alpr", "valid_until": "2027-02-01", "certificate": None,
              "recorded_by": "admin", "recorded_at": "2025-02-01T08:00:00+00:00"}]},
        {"person_id": "okafor", "username": "okafor", "name": "Ben Okafor", "role": "officer",
         "active": True, "training": []},
    ],
    "lapses": [
        {"person_id": "okafor", "username": "okafor", "name": "Ben Okafor", "kind": "leads",
         "lapsed_at": "2026-06-01T05:00:00+00:00", "restored_at": "2026-06-09T05:00:00+00:00",
         "because": "ran_out", "valid_until": "2026-05-31", "certificate": "L-7",
         "role": "officer", "account_active": True, "had_access": True, "sessions_open": [],
         "sessions_opened_during": 2},
    ],
}  # fmt: skip
SESSIONS: list[dict[str, Any]] = [
    {
        "session_id": f"s-{n}", "person_id": "ann", "username": "miller", "name": "Ann Miller",
        "role": "officer", "method": "password", "second_factor_at": None,
        "address": f"192.0.2.{n}", "last_address": f"192.0.2.{n}",
        "created_at": "2026-06-01T05:00:00+00:00", "refreshed_at": "2026-06-01T12:00:00+00:00",
        "ended_at": None, "ended_because": None, "is_open": False,
    }
    for n in (1, 2)
]  # fmt: skip


def identity_answering(
    passwords: dict[str, Any] = PASSWORD_SECURITY,
    training: dict[str, Any] = TRAINING,
    sessions: list[dict[str, Any]] = SESSIONS,
) -> httpx.MockTransport:
    """Both pages of sessions, too; answers nobody who sends no token."""

    def answer(request: httpx.Request) -> httpx.Response:
        if not request.headers.get("authorization", "").startswith("Bearer "):
            return httpx.Response(401, json={})
        match request.url.path.rsplit("/", 1)[-1]:
            case "password-security":
                return httpx.Response(200, json=passwords)
            case "training":
                return httpx.Response(200, json=training)
            case "sessions":
                first = "cursor" not in request.url.params
                items = sessions[:1] if first else sessions[1:]
                following = "next" if first and len(sessions) > 1 else None
                return httpx.Response(200, json={"items": items, "next_cursor": following})
        return httpx.Response(404, json={})

    return httpx.MockTransport(answer)


def identity_away() -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    return httpx.MockTransport(answer)


def identity_refusing() -> httpx.MockTransport:
    """As it answers a role that may not see the reports."""
    return httpx.MockTransport(lambda _request: httpx.Response(403, json={"title": "no"}))
