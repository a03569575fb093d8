"""Composition root of the console."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from alpr_common.auth import TokenVerifier
from alpr_common.policy import AgencyPolicies
from alpr_common.web import create_web_app
from alpr_console import (
    account_pages,
    alert_pages,
    api,
    approval_pages,
    audit_pages,
    camera_pages,
    error_pages,
    evidence_pages,
    hold_pages,
    hotlist_pages,
    list_pages,
    log_pages,
    oidc_pages,
    passkey_pages,
    people_pages,
    record_pages,
    search_pages,
    sign_in_pages,
)
from alpr_console.assets import Assets
from alpr_console.cookies import CookieSeal, development_key
from alpr_console.pages import Pages
from alpr_console.security import Protected
from alpr_console.sessions import Sessions
from alpr_console.settings import Settings
from alpr_console.stream import Relay
from alpr_console.upstream import Upstream

_PLAIN = (
    search_pages, approval_pages, hotlist_pages, people_pages, hold_pages, evidence_pages,
    record_pages, audit_pages, camera_pages,
)  # fmt: skip
"""Pages that need nothing but the person's session and the templates."""
_BESIDE_THE_SOURCES = Path(__file__).parents[2] / "node_modules"


def build(settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """The console as an ASGI app; raises when the keys it needs cannot be read.

    `transport`: how the services are reached, where it is not through the network.
    """
    client = httpx.AsyncClient(
        transport=transport,
        timeout=settings.request_timeout_seconds,
        # One connection stays open per live board; they must not use up what requests need.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=50),
    )
    upstream = Upstream(client, settings.common)
    key_file = settings.cookie_key_file or development_key(settings.development_folder)
    seal = CookieSeal.from_file(key_file)
    sessions = Sessions(
        seal,
        TokenVerifier.from_file(settings.common.token_public_key_file),
        upstream,
        secure=settings.cookies_secure,
        lock_seconds=settings.lock_seconds,
        refresh_before_seconds=settings.refresh_before_seconds,
    )
    policies = AgencyPolicies.load(settings.common.policy_file, settings.common.policies_folder)
    pages = Pages(policies.default, settings.time_zone, policies)
    assets = Assets(settings.assets_folder or _BESIDE_THE_SOURCES)
    relay = Relay(pages.row, settings.heartbeat_seconds)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    app = create_web_app("console", "ALPR console", lifespan=lifespan)
    app.state.checks["assets (services/console/install_assets.sh)"] = assets.complete
    app.add_middleware(Protected, secure=settings.cookies_secure)
    error_pages.add_error_pages(app, pages)
    app.include_router(api.routes(sessions, pages, assets))
    app.include_router(sign_in_pages.routes(sessions, pages))
    app.include_router(passkey_pages.routes(sessions, pages, upstream))
    app.include_router(
        oidc_pages.routes(sessions, pages, upstream, seal, secure=settings.cookies_secure)
    )
    app.include_router(account_pages.routes(sessions, pages))
    app.include_router(alert_pages.routes(sessions, pages, relay))
    app.include_router(log_pages.routes(sessions, pages, upstream))
    # Before the hot list's, whose addresses it is among.
    app.include_router(list_pages.routes(sessions, pages))
    for module in _PLAIN:
        app.include_router(module.routes(sessions, pages))
    return app
