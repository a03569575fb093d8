"""Settings of alerts, from the environment (prefix `ALPR_ALERTS_`)."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from alpr_common.settings import CommonSettings, DatabaseSettings, ListenSettings


class Settings(ListenSettings, DatabaseSettings):
    model_config = SettingsConfigDict(env_prefix="ALPR_ALERTS_", frozen=True, extra="ignore")

    port: int = 8005
    batch_size: int = Field(default=100, ge=1)
    """Hits that are stored with one transaction per agency."""
    stream_heartbeat_seconds: float = Field(default=10.0, gt=0)
    stream_send_timeout_seconds: float = Field(default=30.0, gt=0)
    """A reader that takes nothing for this long is cut off; it resumes where it was."""
    stream_check_seconds: float = Field(default=5.0, gt=0)
    """How often a stream looks at the table although nothing woke it."""
    streams_max: int = Field(default=500, ge=1)
    """Open streams of one process."""
    retention_interval_seconds: float = Field(default=300.0, gt=0)
    """How often what is past its retention is removed (131.7-1d)."""
    measure_seconds: float = Field(default=5.0, gt=0)
    common: CommonSettings = Field(default_factory=CommonSettings)
