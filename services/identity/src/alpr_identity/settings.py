"""Settings of identity, from the environment (prefix `ALPR_IDENTITY_`)."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from alpr_common.settings import CommonSettings, DatabaseSettings, ListenSettings


class Settings(ListenSettings, DatabaseSettings):
    model_config = SettingsConfigDict(env_prefix="ALPR_IDENTITY_", frozen=True, extra="ignore")

    port: int = 8007
    token_private_key_file: Path = Path("/etc/alpr/token-private.pem")
    access_token_seconds: int = Field(default=900, ge=30, le=900)
    """How long a token lives. The other services learn of a sign-out, a changed role or a training
    taken away within seconds (alpr.sessions.v1); this is how long they may not while Kafka is
    away."""
    second_factor_key_file: Path | None = None
    """Secrets that second factors are sealed with, 32 or more characters, one a line: the first
    seals, all open; never in PostgreSQL. None: nobody can set one up."""
    passkey_rp_id: str | None = None
    """The host that passkeys are of: that of `ALPR_CONSOLE_URL`, or a domain above it. None: the
    former. Changing it makes every passkey useless."""
    providers_file: Path | None = None
    """The agencies' own sign-in services (OpenID Connect), TOML; see docs/identity.md. None: people
    sign in with passwords and passkeys alone."""
    upkeep_seconds: float = Field(default=600, gt=0)
    """How often reminders, long absences and sessions left open are looked for."""
    fips: bool = False
    """Passwords by PBKDF2-HMAC-SHA-512 instead of argon2id, which FIPS 140 does not know."""
    refusal_floor_seconds: float = Field(default=0.5, ge=0)
    """No refused sign-in is answered sooner, so that its time tells nothing about the account."""
    common: CommonSettings = Field(default_factory=CommonSettings)
