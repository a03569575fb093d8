"""docs/api/README.md has every route, as the services have it."""

from alpr_local.api_page import page, rendered


def test_the_routes_on_the_page_are_those_of_the_services() -> None:
    assert page().read_text("utf-8") == rendered(), "run: python -m alpr_local.api_page"


def test_every_route_says_who_may_call_it() -> None:
    for line in rendered().splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.split("|")]
            assert cells[2], f"{cells[1]}: who may call it?"
