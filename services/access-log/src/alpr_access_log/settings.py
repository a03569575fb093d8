"""Settings of access-log, from the environment (prefix `ALPR_ACCESS_LOG_`)."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from alpr_common.settings import CommonSettings, DatabaseSettings, ListenSettings


class Settings(ListenSettings, DatabaseSettings):
    model_config = SettingsConfigDict(env_prefix="ALPR_ACCESS_LOG_", frozen=True, extra="ignore")

    port: int = 8006
    batch_size: int = Field(default=500, ge=1)
    """Reads that are stored with one COPY."""
    log_key_file: Path = Path("/etc/alpr/access-log-signing-key.pem")
    """PEM of the Ed25519 key that signs the log's checkpoints; never in PostgreSQL."""
    log_name: str = Field(default="alpr.example/access-log", pattern=r"^[^\s+]+$")
    """Name of the logs, with the agency behind it each one's origin: a host and path of yours."""
    log_witness_url: str = "file:///var/lib/alpr/witness"
    """Where copies of checkpoints go: file:// or http(s)://, out of reach of the database."""
    log_witness_interval_seconds: float = Field(default=60, gt=0)
    retention_interval_seconds: float = Field(default=3600, gt=0)
    """How often reads past their retention are looked for; a day goes when its last second is."""
    evidence_key_file: Path = Path("/etc/alpr/access-log-evidence-key.pem")
    """PEM of the Ed25519 key that seals evidence packages; never in PostgreSQL."""
    evidence_name: str = Field(default="alpr.example/evidence", pattern=r"^[^\s+]+$")
    """Name of the seals, with the agency behind it each one's: a host and path of yours."""
    audit_interval_seconds: float = Field(default=900, gt=0)
    """How often it is looked whether a day's searches still wait to be looked through (131.5-d)."""
    common: CommonSettings = Field(default_factory=CommonSettings)
