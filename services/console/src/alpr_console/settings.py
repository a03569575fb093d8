"""Settings of the console, prefix `ALPR_CONSOLE_`."""

from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from alpr_common.settings import CommonSettings, ListenSettings

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Settings(ListenSettings):
    """The console keeps nothing: no database, no object store, only where the services are."""

    model_config = SettingsConfigDict(env_prefix="ALPR_CONSOLE_", frozen=True, extra="ignore")

    port: int = 8008
    cookie_key_file: Path | None = None
    """What session cookies are encrypted with: one secret of 32 or more characters a line, the
    first seals, all open (so a key can be changed without signing people out). Every replica
    needs the same file. None: one is made in `development_folder`, for one machine alone."""
    development_folder: Path = Path("var/secrets")
    assets_folder: Path | None = None
    """The `node_modules` that install_assets.sh fills; None: beside this package's sources."""
    time_zone: str = "America/Chicago"
    """Zone of the times that people read and type. Everything between services is UTC."""
    lock_seconds: int = Field(default=1800, ge=0)
    """Nobody touched the page for so long: sign in again (CJISSECPOL AC-11). 0 turns it off where
    AC-11 exempts the screen: vehicles, and dispatch within a physically secure location."""
    request_timeout_seconds: float = Field(default=10.0, gt=0)
    refresh_before_seconds: int = Field(default=180, ge=0)
    """How long before a token ends the page's minutely call renews it."""
    heartbeat_seconds: float = Field(default=10.0, gt=0)
    """How often the live stream says that it lives; the page warns after three missed ones."""
    common: CommonSettings = Field(default_factory=CommonSettings)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        ZoneInfo(name)
        return name

    @model_validator(mode="after")
    def _no_tokens_in_the_clear(self) -> "Settings":
        url = urlsplit(self.common.console_url)
        if url.scheme != "https" and url.hostname not in _LOOPBACK:
            raise ValueError(
                f"ALPR_CONSOLE_URL is {self.common.console_url}: only https, or http on the "
                "loopback address, keeps the session cookie from being read on the way (131.7-3c)"
            )
        return self

    @property
    def cookies_secure(self) -> bool:
        """Whether the page is reached through TLS, so that cookies can insist on it."""
        return urlsplit(self.common.console_url).scheme == "https"
