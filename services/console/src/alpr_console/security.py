"""What every answer carries and every request must show: headers, cookies, one's own origin."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alpr_console.upstream import caller_address

CONTENT_SECURITY_POLICY = "; ".join(
    [
        # Police networks are closed and plates are not to leak: nothing from anywhere else,
        # nothing inline, no frame around this page.
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_STATIC = "/static/"


class Protected:
    """ASGI middleware: same origin for what changes something, strict headers on everything."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self.app = app
        self.secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["alpr_set_cookies"] = []
        caller_address.set(scope["client"][0] if scope.get("client") else None)

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._protect(scope, MutableHeaders(scope=message))
            await send(message)

        if scope["method"] not in _SAFE_METHODS and not _from_this_origin(Headers(scope=scope)):
            refusal = PlainTextResponse("This request did not come from this page.", 403)
            await refusal(scope, receive, send_protected)
            return
        await self.app(scope, receive, send_protected)

    def _protect(self, scope: Scope, headers: MutableHeaders) -> None:
        headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        headers["X-Content-Type-Options"] = "nosniff"
        # Not "no-referrer": browsers then send `Origin: null` with forms, which looks foreign.
        headers["Referrer-Policy"] = "same-origin"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        if self.secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if not scope["path"].startswith(_STATIC):
            headers["Cache-Control"] = "no-store"  # 131.7-1b: nothing stays on the client
        for cookie in scope["alpr_set_cookies"]:
            headers.append("Set-Cookie", cookie)


def _from_this_origin(headers: Headers) -> bool:
    """Whether a request that changes something was made by our own page.

    SameSite=Strict keeps the cookie from other sites; this holds also within the same site
    (another host of the county's domain). A browser sends at least one of these headers.
    """
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host", ""):
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return origin is not None
