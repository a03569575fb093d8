"""Settings of access-log, from the environment (prefix `ALPR_ACCESS_LOG_`)."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from alpr_common.settings import CommonSettings, DatabaseSettings, ListenSettings


class Settings(ListenSettings, DatabaseSettings):
    model_config = SettingsConfigDict(env_prefix="ALPR_ACCESS_LOG_", frozen=True, extra="ignore")

    port: int = 8006
    batch_size: int = Field(default=500, ge=1)
    """Reads that are stored with one COPY."""
    common: CommonSettings = Field(default_factory=CommonSettings)
