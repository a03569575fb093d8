"""A small OpenID provider that really is one: discovery, a sign-in page, codes with PKCE, signed
tokens, keys that rotate. Its knobs make it lie the way a broken or hostile one would."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from html import escape
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI, Form, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jwt.algorithms import RSAAlgorithm

CLIENT_ID, CLIENT_SECRET = "alpr-console", "a-secret-of-the-client-0123456789"


@dataclass
class Key:
    """A signing key and its name."""

    name: str
    private: RSAPrivateKey = field(default_factory=lambda: generate_private_key(65537, 2048))

    def public(self) -> dict[str, Any]:
        entry: dict[str, Any] = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return entry | {"kid": self.name, "use": "sig", "alg": "RS256"}

    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )


@dataclass
class Granted:
    """A code: whom it is about, and what was asked for."""

    username: str
    asked: dict[str, str]
    used: bool = False


class OidcProvider:
    """The provider's state and its app. `forget` sets every knob back."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.codes: dict[str, Granted] = {}
        self.key = Key("first")
        self.forget()
        self.app = self._app()

    def forget(self) -> None:
        self.published = [self.key]
        self.claims: dict[str, Any] = {}
        """Over those of the next tokens; None takes a claim away."""
        self.subjects: dict[str, str] = {}
        self.sign = self.signed
        self.is_down = False
        self.discovery: dict[str, Any] = {}
        self.key_sets_given = 0

    def rotate(self, name: str) -> None:
        """Another key signs from now on; the old one is not published any more."""
        self.key = Key(name)
        self.published = [self.key]

    # --- What a browser would do ---------------------------------------------------------------

    def visit(self, authorization_url: str, username: str) -> dict[str, str]:
        """Somebody signs in at the address; what their browser brings back."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(authorization_url).query).items()}
        back = self._grant(asked, username)
        return {k: v[0] for k, v in parse_qs(urlsplit(back).query).items()}

    def _grant(self, asked: dict[str, str], username: str) -> str:
        code = secrets.token_urlsafe(16)
        self.codes[code] = Granted(username, asked)
        return f"{asked['redirect_uri']}?" + urlencode({"code": code, "state": asked["state"]})

    # --- Tokens --------------------------------------------------------------------------------

    def claims_of(self, granted: Granted) -> dict[str, Any]:
        now = int(time.time())
        name = granted.username
        claims = {
            "iss": self.url, "sub": self.subjects.get(name, f"subject-of-{name}"),
            "aud": CLIENT_ID, "iat": now, "exp": now + 300, "auth_time": now,
            "nonce": granted.asked.get("nonce"), "preferred_username": name,
            "email": f"{name}@police.example", "email_verified": True,
        } | self.claims  # fmt: skip
        return {key: value for key, value in claims.items() if value is not None}

    def signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.key.private, "RS256", headers={"kid": self.key.name})

    # --- HTTP ----------------------------------------------------------------------------------

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def down(request: Request, call_next: Any) -> Response:
            if self.is_down:
                return Response("no", 503)
            answer: Response = await call_next(request)
            return answer

        @app.get("/.well-known/openid-configuration")
        async def discovery() -> dict[str, Any]:
            return {
                "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            } | self.discovery  # fmt: skip

        @app.get("/keys")
        async def keys() -> dict[str, Any]:
            self.key_sets_given += 1
            return {"keys": [key.public() for key in self.published]}

        @app.get("/authorize")
        async def page(request: Request) -> HTMLResponse:
            kept = "".join(
                f'<input type="hidden" name="{escape(k)}" value="{escape(v)}">'
                for k, v in request.query_params.items()
            )
            return HTMLResponse(
                f'<!doctype html><title>County sign-in</title><form action="/grant">{kept}'
                '<label>Account <input name="account"></label><button>Go on</button></form>'
            )

        @app.get("/grant")
        async def grant(request: Request, account: Annotated[str, Query()]) -> RedirectResponse:
            return RedirectResponse(self._grant(dict(request.query_params), account), 303)

        @app.post("/token")
        async def token(
            request: Request, code: Annotated[str, Form()], redirect_uri: Annotated[str, Form()],
            code_verifier: Annotated[str, Form()],
        ) -> JSONResponse:  # fmt: skip
            said = request.headers.get("authorization", "").removeprefix("Basic ")
            if base64.b64decode(said).decode() != f"{CLIENT_ID}:{CLIENT_SECRET}":
                return JSONResponse({"error": "invalid_client"}, 401)
            granted = self.codes.get(code)
            challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest())
            if (
                granted is None
                or granted.used
                or granted.asked["redirect_uri"] != redirect_uri
                or granted.asked["code_challenge"] != challenge.decode().rstrip("=")
            ):
                return JSONResponse({"error": "invalid_grant"}, 400)
            granted.used = True
            id_token = self.sign(self.claims_of(granted))
            return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": id_token})

        return app
