"""docs/operations.md has every setting, as the classes have it."""

from alpr_local.settings_page import page, with_tables


def test_the_settings_on_the_page_are_those_of_the_services() -> None:
    text = page().read_text("utf-8")
    assert with_tables(text) == text, "run: python -m alpr_local.settings_page"
