"""The client half of OpenID Connect: discovery, the code for a token, and what the token says.

Everything that comes from the provider is checked here: that it is this provider's (issuer and
signature, by a key of its key set), for this client (audience, azp), for this attempt (nonce), and
of now (exp, iat, auth_time). No database.
"""

import asyncio
import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
import structlog

from alpr_identity.provider_config import ProviderConfig, is_trustworthy
from alpr_identity.refusals import ProviderAway

log = structlog.get_logger()

_DISCOVERY = "/.well-known/openid-configuration"
# A key that the provider has withdrawn is forgotten after so long, a new one is found at once.
_KEPT_SECONDS = 3600
# Tokens that name unknown keys must not make this a way to load the provider.
_ANEW_SECONDS = 10
_ANSWER_MAX_BYTES = 512 * 1024
_TIMEOUT_SECONDS = 8.0


class TokenNotOurs(Exception):
    """What the provider gave says nothing that may be believed; the text says why, for the
    audit."""


class CodeRefused(Exception):
    """The provider gave no token for the code: used before, too old, or not this client's."""


@dataclass(frozen=True)
class Discovered:
    """What the provider says about itself."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    secret_in_header: bool
    iss_in_answer: bool


@dataclass(frozen=True)
class Attempt:
    """What ties a token to the browser that asked for it."""

    nonce: str
    code_verifier: str
    begun_at: datetime


class Provider:
    """One provider, with what is known of it for an hour."""

    def __init__(
        self, config: ProviderConfig, client_secret: str, client: httpx.AsyncClient,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        """`clock` counts seconds, from anywhere, and never goes back."""
        self.config = config
        self._secret, self._client, self._clock = client_secret, client, clock
        self._discovered: tuple[Discovered, float] | None = None
        self._keys: tuple[list[dict[str, Any]], float] | None = None
        self._asking = asyncio.Lock()

    async def address(self, attempt: Attempt, state: str, redirect_uri: str, max_age: int) -> str:
        """Where the browser goes; raises `ProviderAway`."""
        said = await self._discover()
        challenge = hashlib.sha256(attempt.code_verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.config.scopes),
            "state": state,
            "nonce": attempt.nonce,
            "code_challenge": urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
            "max_age": str(0 if self.config.reauthenticate else max_age),
        }
        if self.config.reauthenticate:
            asked["prompt"] = "login"
        if self.config.acr:
            asked["acr_values"] = " ".join(self.config.acr)
        joint = "&" if "?" in said.authorization_endpoint else "?"
        return said.authorization_endpoint + joint + urlencode(asked)

    async def claims(
        self, code: str, attempt: Attempt, redirect_uri: str, iss: str | None, max_age: int,
        now: datetime,
    ) -> dict[str, Any]:  # fmt: skip
        """What the provider says about whoever brought `code`.

        Raises `ProviderAway`, `CodeRefused`, `TokenNotOurs`.
        """
        said = await self._discover()
        if iss != self.config.issuer and (iss is not None or said.iss_in_answer):
            raise TokenNotOurs("the answer names another issuer")  # RFC 9207: mixed up
        token = await self._exchange(said, code, attempt.code_verifier, redirect_uri)
        claims = await self._verified(said, token)
        self._check(claims, attempt, max_age, now)
        return claims

    async def _exchange(
        self, said: Discovered, code: str, code_verifier: str, redirect_uri: str
    ) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
        }
        sign_on: Any = None
        if said.secret_in_header:
            sign_on = httpx.BasicAuth(self.config.client_id, self._secret)
        else:
            form |= {"client_id": self.config.client_id, "client_secret": self._secret}
        answer = await self._ask("POST", said.token_endpoint, data=form, auth=sign_on)
        if answer.is_client_error:
            raise CodeRefused(_error_of(answer))
        token = _json_of(answer).get("id_token")
        if not isinstance(token, str):
            raise TokenNotOurs("there is no id_token")
        return token

    async def _verified(self, said: Discovered, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            if algorithm not in self.config.algorithms:
                raise TokenNotOurs(f"it is signed by {algorithm}, which is not allowed")
            key = await self._key(said, header.get("kid"), algorithm)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self.config.issuer,
                audience=self.config.client_id,
                leeway=self.config.clock_skew_seconds,
                options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise TokenNotOurs(f"{type(error).__name__}: {error}") from error
        return claims

    def _check(
        self, claims: Mapping[str, Any], attempt: Attempt, max_age: int, now: datetime
    ) -> None:
        if not hmac.compare_digest(str(claims["nonce"]).encode(), attempt.nonce.encode()):
            raise TokenNotOurs("its nonce is of another attempt")
        for_others = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        for_us = claims.get("azp", None if for_others else self.config.client_id)
        if for_us != self.config.client_id:
            raise TokenNotOurs("it was issued to another client (azp)")
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise TokenNotOurs("its subject is none")
        signed_in_at = claims.get("auth_time")
        if isinstance(signed_in_at, bool) or not isinstance(signed_in_at, int | float):
            raise TokenNotOurs("it does not say when the person signed in (auth_time)")
        begun = attempt.begun_at.timestamp()
        earliest = begun if self.config.reauthenticate else now.timestamp() - max_age
        if signed_in_at < earliest - self.config.clock_skew_seconds:
            raise TokenNotOurs("the person signed in to the provider too long ago (auth_time)")

    def shows_second_factor(self, claims: Mapping[str, Any]) -> bool:
        """Whether the token shows one of the configured `acr` or `amr` values."""
        means = claims.get("amr")
        means = means if isinstance(means, list) else []
        return claims.get("acr") in self.config.acr or any(m in self.config.amr for m in means)

    async def _discover(self) -> Discovered:
        async with self._asking:
            if self._discovered and self._clock() - self._discovered[1] < _KEPT_SECONDS:
                return self._discovered[0]
            answer = await self._ask("GET", self.config.issuer.rstrip("/") + _DISCOVERY)
            said = _json_of(answer)
            if answer.is_error or said.get("issuer") != self.config.issuer:
                raise _away("its discovery document is not one of the configured issuer")
            authorize, token, keys = (
                str(said.get(name, ""))
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
            )
            if not all(is_trustworthy(one) for one in (authorize, token, keys)):
                raise _away("its discovery document names addresses that are not https")
            methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            found = Discovered(
                authorize,
                token,
                keys,
                secret_in_header="client_secret_basic" in methods,
                iss_in_answer=said.get("authorization_response_iss_parameter_supported") is True,
            )
            self._discovered = (found, self._clock())
            return found

    async def _key(self, said: Discovered, name: str | None, algorithm: str) -> jwt.PyJWK:
        """The provider's key of that name; raises `TokenNotOurs`, `ProviderAway`."""
        keys = await self._key_set(said, anew=False)
        entry = _named(keys, name)
        if entry is None:  # they may just have been changed
            entry = _named(await self._key_set(said, anew=True), name)
        if entry is None:
            raise TokenNotOurs("it names a key that the provider does not publish")
        if entry.get("alg", algorithm) != algorithm:
            raise TokenNotOurs(f"its key is not for {algorithm}")
        return jwt.PyJWK(entry, algorithm=algorithm)

    async def _key_set(self, said: Discovered, *, anew: bool) -> list[dict[str, Any]]:
        async with self._asking:
            if self._keys:
                age = self._clock() - self._keys[1]
                if age < (_ANEW_SECONDS if anew else _KEPT_SECONDS):
                    return self._keys[0]
            answer = await self._ask("GET", said.jwks_uri)
            entries = _json_of(answer).get("keys")
            if answer.is_error or not isinstance(entries, list):
                raise _away("it gives no key set")
            found = [
                entry for entry in entries
                if isinstance(entry, dict)
                and entry.get("use", "sig") == "sig"
                and entry.get("kty") in ("RSA", "EC", "OKP")  # never a shared secret
            ]  # fmt: skip
            self._keys = (found, self._clock())
            return found

    async def _ask(self, method: str, address: str, **content: Any) -> httpx.Response:
        try:
            async with self._client.stream(
                method, address, timeout=_TIMEOUT_SECONDS, follow_redirects=False,
                headers={"Accept": "application/json"}, **content,
            ) as answer:  # fmt: skip
                body = bytearray()
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > _ANSWER_MAX_BYTES:
                        raise _away("its answer is too long")
        except httpx.HTTPError as error:
            log.warning("provider.away", provider=self.config.provider_id, error=repr(error))
            raise _away("it does not answer") from error
        if answer.is_server_error or answer.is_redirect:
            raise _away(f"it answers {answer.status_code}")
        return httpx.Response(answer.status_code, content=bytes(body))


def _named(keys: list[dict[str, Any]], name: str | None) -> dict[str, Any] | None:
    """The key of that name; for a token that names none, the only one."""
    if name is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.get("kid") == name), None)


def _json_of(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError as error:
        raise _away("it answers something else than JSON") from error
    return said if isinstance(said, dict) else {}


def _error_of(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("error", ""))[:80]
    except (ValueError, AttributeError):
        return f"status {answer.status_code}"


def _away(why: str) -> ProviderAway:
    return ProviderAway(
        f"Your agency's sign-in service cannot be used now: {why}. Try again in a moment, or "
        "sign in with your password if your agency lets you."
    )
