"""What ingest can be told from outside (environment, prefix `ALPR_INGEST_`)."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from alpr_common.settings import CommonSettings, DatabaseSettings, ListenSettings

_MEBIBYTE = 1024 * 1024


class Settings(ListenSettings, DatabaseSettings):
    model_config = SettingsConfigDict(env_prefix="ALPR_INGEST_", frozen=True, extra="ignore")

    common: CommonSettings = Field(default_factory=CommonSettings)

    port: int = 8001
    spool_folder: Path = Path("/var/lib/alpr/spool")
    spool_max_bytes: int = 2048 * _MEBIBYTE
    spool_min_free_bytes: int = 256 * _MEBIBYTE
    """Disk that the spool leaves to others."""
    kafka_timeout_seconds: float = 2.0
    """How long a camera waits for Kafka before its frame goes to the spool."""
    camera_fresh_seconds: float = 2.0
    """A rotated credential, a retirement or a new mask takes effect within this time."""
    camera_outage_seconds: float = 24 * 3600
    """How long known cameras are let in on what was last known of them while PostgreSQL is away."""
    frames_in_flight_max: int = 64
    """Bounds memory: each holds at most one picture of the policy's size."""
    body_timeout_seconds: float = 30.0
    picture_threads: int = 2
