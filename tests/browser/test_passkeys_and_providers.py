"""Passkeys by a virtual authenticator, and an agency's own provider, over real services."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, CDPSession, Page, expect

from alpr_common.kafka import Publisher
from alpr_common.objects import Pictures
from alpr_local.ports import choose_port
from alpr_local.processes import Services
from tests.browser.support.person import person_at
from tests.browser.support.real import PASSWORD, Agency
from tests.browser.support.serving import served
from tests.browser.support.sightings import AGENCY
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider

pytestmark = [
    pytest.mark.browser,
    pytest.mark.e2e,
    pytest.mark.integration,
    pytest.mark.policy("131.7-3c"),
    pytest.mark.timeout(600),  # of the first: starting everything on a busy machine too
    pytest.mark.asyncio(loop_scope="module"),
]

_POLICY = 'version = "second factors"\nsecond_factor_roles = ["officer"]\n'
_PROVIDERS = f"""
[[provider]]
provider_id = "county"
agency_id = "{AGENCY}"
label = "County Police"
issuer = "%s"
client_id = "{CLIENT_ID}"
client_secret_file = "%s"
amr = ["mfa"]
"""


@dataclass
class Site:
    """The console at a host name, as browsers want it for passkeys."""

    url: str
    provider: OidcProvider


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    port = choose_port()
    running = OidcProvider(f"http://127.0.0.1:{port}")
    with served(running.app, port):
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    services: Services, provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("sign-in")
    url = f"http://localhost:{services.ports['console']}"
    services.environment |= {
        "ALPR_CONSOLE_URL": url,
        "ALPR_POLICY_FILE": str(_written(folder / "policy.toml", _POLICY)),
        "ALPR_IDENTITY_PROVIDERS_FILE": str(
            _written(
                folder / "providers.toml",
                _PROVIDERS % (provider.url, _written(folder / "client.secret", CLIENT_SECRET)),
            )
        ),
    }
    services.start_all("identity", "console")
    publisher = Publisher(services.stack.kafka_bootstrap_servers)
    pictures = Pictures.at(services.stack.objects_folder.as_uri())
    agency = Agency(services, publisher, pictures)
    for username, name in (("rivera", "Ofc. Dana Rivera"), ("okafor", "Ofc. Chidi Okafor")):
        await agency.hires(username, name, "officer")
    yield Site(url, provider)


def _written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


async def authenticator(page: Page) -> tuple[CDPSession, str]:
    """A device that asks for a finger and gets it."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    options: dict[str, Any] = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
        "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    added = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devtools, str(added["authenticatorId"])


async def is_signed_in(page: Page, name: str) -> None:
    await expect(page).to_have_url(re.compile(r"/account$"))
    await expect(page.locator(".bar-name")).to_have_text(name)


async def sign_out(page: Page) -> None:
    await page.locator(".bar-person summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_passkey_is_the_second_factor_that_is_asked_for_and_signs_in_from_then_on(
    chromium: Browser, site: Site
) -> None:
    async with person_at(chromium, site.url) as rivera:
        page = rivera.page
        devtools, device = await authenticator(page)
        await rivera.sign_in("rivera", PASSWORD)
        await expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
        await page.get_by_role("link", name="Set up a passkey instead").click()
        await page.get_by_label("What to call it").fill("This desk")
        await page.get_by_label("Your password").first.fill("not the password at all")
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("alert")).to_contain_text("password")
        await page.get_by_label("Your password").first.fill(PASSWORD)
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("status").first).to_contain_text("The passkey is in place")
        await expect(page.locator(".card")).to_contain_text("This desk")
        # Everything is open now, in the session that was only for enrolling.
        await expect(page.get_by_role("link", name="Alerts")).to_be_visible()
        await rivera.goes_to("/account")
        await is_signed_in(page, "Ofc. Dana Rivera")
        await sign_out(page)

        await rivera.goes_to("/sign-in?to=/account")
        await page.get_by_role("button", name="Use a passkey").click()
        await is_signed_in(page, "Ofc. Dana Rivera")
        await sign_out(page)

        # The password alone is of no use any more, and neither is a device that saw no finger.
        await rivera.sign_in("rivera", PASSWORD, "/sign-in?to=/account")
        await expect(rivera.refusal).to_contain_text("Sign in with your passkey")
        await devtools.send(
            "WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False}
        )
        await page.get_by_role("button", name="Use a passkey").click()
        await expect(page.locator("[data-way-problem]")).to_contain_text("Nothing was shown")
        await devtools.send(
            "WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True}
        )
        await page.get_by_role("button", name="Use a passkey").click()
        await expect(page.locator(".bar-name")).to_have_text("Ofc. Dana Rivera")

        await rivera.goes_to("/account/passkeys")
        await page.get_by_text("Rename it").click()
        await page.get_by_label("Name", exact=True).fill("The old desk")
        await page.get_by_role("button", name="Rename").click()
        await expect(page.locator(".card b")).to_have_text("The old desk")
        await page.get_by_text("Remove it").first.click()
        await page.get_by_role("button", name="Remove it").click()
        await expect(page.get_by_role("status").first).to_contain_text("was removed")
        await expect(page.locator(".card")).to_have_count(0)


async def test_the_agencys_own_account_signs_in(chromium: Browser, site: Site) -> None:
    site.provider.claims = {"amr": ["pwd", "mfa"]}
    async with person_at(chromium, site.url) as okafor:
        page = okafor.page
        await okafor.goes_to("/account")
        await page.get_by_role("link", name="Sign in with County Police").click()
        await expect(page).to_have_title("County sign-in")
        await page.get_by_label("Account").fill("okafor")
        await page.get_by_role("button", name="Go on").click()
        await is_signed_in(page, "Ofc. Chidi Okafor")
        await sign_out(page)

        # The provider knows somebody whom the agency has not here.
        await okafor.goes_to("/sign-in")
        await page.get_by_role("link", name="Sign in with County Police").click()
        await page.get_by_label("Account").fill("somebody.else")
        await page.get_by_role("button", name="Go on").click()
        await expect(okafor.refusal).to_contain_text("nobody of that name here")


async def test_a_sign_in_begun_elsewhere_is_not_ended_here(chromium: Browser, site: Site) -> None:
    """Otherwise a link could sign somebody in as the sender of the link."""
    site.provider.claims = {"amr": ["mfa"]}
    async with person_at(chromium, site.url) as sender, person_at(chromium, site.url) as victim:
        await sender.goes_to("/sign-in")
        await sender.page.get_by_role("link", name="Sign in with County Police").click()
        brought = site.provider.visit(sender.page.url, "okafor")
        link = f"/sign-in/provider/back?code={brought['code']}&state={brought['state']}"
        await victim.goes_to(link)
        await expect(victim.refusal).to_contain_text("That sign-in was not begun here")
        await victim.goes_to("/account")
        await expect(victim.page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_provider_that_is_away_is_said_to_be_on_the_sign_in_page(
    chromium: Browser, site: Site
) -> None:
    async with person_at(chromium, site.url) as okafor:
        await okafor.goes_to("/sign-in")
        await okafor.page.get_by_role("link", name="Sign in with County Police").click()
        await expect(okafor.page).to_have_title("County sign-in")
        address = okafor.page.url
        brought = site.provider.visit(address, "okafor")
        site.provider.is_down = True
        try:
            await okafor.goes_to(
                f"/sign-in/provider/back?code={brought['code']}&state={brought['state']}"
            )
            await expect(okafor.refusal).to_contain_text("sign-in service cannot be used now")
            await expect(okafor.page.get_by_label("User name")).to_be_visible()
        finally:
            site.provider.is_down = False
