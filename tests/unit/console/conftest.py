"""A console over the double, spoken to without a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from alpr_console.app import build
from tests.browser.support.console import settings_for
from tests.browser.support.rest_double import PASSWORD, Double

CONSOLE_URL = "http://127.0.0.1:8008"


@pytest.fixture(scope="module")
def module_double() -> Double:
    return Double()


@pytest.fixture
def double(module_double: Double) -> Double:
    module_double.forget()
    return module_double


class Page:
    """What a browser does, in short: keeps cookies, says where a request comes from."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, *, fragment: bool = False) -> httpx.Response:
        headers = {"HX-Request": "true"} if fragment else {"Accept": "text/html"}
        return await self.client.get(path, headers=headers)

    async def post(
        self, path: str, form: dict[str, str] | None = None, *, fragment: bool = False
    ) -> httpx.Response:
        headers = {"Origin": CONSOLE_URL, "Sec-Fetch-Site": "same-origin"}
        if fragment:
            headers["HX-Request"] = "true"
        return await self.client.post(path, data=form or {}, headers=headers)

    async def sign_in(self, username: str = "rivera") -> None:
        answer = await self.post("/sign-in", {"username": username, "password": PASSWORD})
        assert answer.status_code == 303, answer.text


def app_over(double: Double, folder: Path, url: str = CONSOLE_URL, **own: Any) -> FastAPI:
    """A console whose services are the double, without a network between."""
    settings = settings_for(double, "http://double", folder, url, **own)
    return build(settings, httpx.ASGITransport(double.app))


def client_of(app: FastAPI, url: str = CONSOLE_URL) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url)


@asynccontextmanager
async def console(double: Double, folder: Path, **own: Any) -> AsyncIterator[Page]:
    """Such a console with settings of its own, opened."""
    async with client_of(app_over(double, folder, **own)) as client:
        yield Page(client)


@pytest.fixture(scope="module")
def module_app(module_double: Double, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return app_over(module_double, tmp_path_factory.mktemp("console"))


@pytest.fixture
async def page(double: Double, module_app: FastAPI) -> AsyncIterator[Page]:
    async with client_of(module_app) as client:
        yield Page(client)
