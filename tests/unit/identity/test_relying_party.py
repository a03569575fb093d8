"""Which site passkeys are of."""

import pytest

from alpr_identity.webauthn import RelyingParty


@pytest.mark.parametrize(
    ("url", "rp_id", "party"),
    [
        ("https://alpr.example", None, RelyingParty("alpr.example", "https://alpr.example")),
        ("https://a.b.example:8443/", "b.example", RelyingParty("b.example", "https://a.b.example:8443")),
        ("http://localhost:8008", None, RelyingParty("localhost", "http://localhost:8008")),
        ("http://127.0.0.1:8008", None, None),
        ("https://[::1]:8008", None, None),
        ("http://alpr.example", None, None),
    ],
)  # fmt: skip
def test_passkeys_are_of_a_host_that_is_reached_by_tls(
    url: str, rp_id: str | None, party: RelyingParty | None
) -> None:
    assert RelyingParty.of_console(url, rp_id) == party
