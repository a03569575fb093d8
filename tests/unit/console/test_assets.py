"""What is served beside the pages: all from here, fit for reading at night."""

from __future__ import annotations

import json
import re

from alpr_common.policy import Policy
from alpr_console.pages import STATIC_FOLDER, category_styles, static_url
from alpr_local.folders import repository
from tests.unit.console.conftest import Page

CONSOLE = repository() / "services" / "console"
TOKENS = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", (STATIC_FOLDER / "base.css").read_text()))


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_has_the_contrast_of_wcag_aa_on_every_surface() -> None:
    for surface in ("ground", "panel", "raised", "pressed"):
        for text in ("ink", "dim", "good", "bad", "warn"):
            assert contrast(TOKENS[text], TOKENS[surface]) >= 4.5, f"{text} on {surface}"
    assert contrast(TOKENS["main-ink"], TOKENS["main"]) >= 4.5


def test_edges_of_fields_and_buttons_can_be_seen() -> None:
    for surface in ("ground", "panel"):
        assert contrast(TOKENS["line-strong"], TOKENS[surface]) >= 3


def test_the_policys_colours_can_be_seen_and_their_numbers_read() -> None:
    for name, category in Policy().categories.items():
        assert contrast(category.colour, TOKENS["pressed"]) >= 3, name
        assert contrast(category.colour, "#0c0e10") >= 4.5, name


def test_a_category_of_any_name_cannot_break_out_of_the_style_sheet() -> None:
    odd = Policy().categories["other"]
    policy = Policy(categories={'x"] {} body { display: none; } [y="': odd})
    assert category_styles(policy).count("{") == 1


def test_the_lock_names_no_host_and_every_package_has_its_digest() -> None:
    text = (CONSOLE / "package-lock.json").read_text()
    assert "http" not in text
    packages = json.loads(text)["packages"]
    assert all(p["integrity"].startswith("sha512-") for name, p in packages.items() if name)


def test_our_own_scripts_and_styles_name_no_host() -> None:
    for path in STATIC_FOLDER.iterdir():
        found = set(re.findall(r"https?://[^\s\"')]+", path.read_text()))
        assert found <= {"http://www.w3.org/2000/svg"}, path.name


async def test_a_fingerprinted_file_may_be_kept_and_everything_is_there(page: Page) -> None:
    answer = await page.get(static_url("board.js"))
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    for name in ("vendor/htmx.min.js", "vendor/sans-400.woff2", "vendor/mono-700.woff2"):
        assert (await page.get(f"/static/{name}")).status_code == 200, name
    assert (await page.get("/ready")).json() == {"ready": True, "failing": []}


async def test_nothing_else_of_the_packages_is_served(page: Page) -> None:
    for name in (
        "vendor/htmx.org/package.json",
        "../settings.py",
        "vendor/../api.py",
        "nothing.js",
    ):
        assert (await page.get(f"/static/{name}")).status_code == 404, name
