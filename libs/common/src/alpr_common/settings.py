"""Settings that every service shares. Each service adds its own with prefix `ALPR_<SERVICE>_`."""

from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict


class CommonSettings(BaseSettings):
    """Read from the environment, prefix `ALPR_`; see docs/operations.md for all of them."""

    model_config = SettingsConfigDict(env_prefix="ALPR_", frozen=True, extra="ignore")

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    """Brokers, as host:port, separated by commas."""
    kafka_replication_factor: int = 1
    """Of the topics that `python -m alpr_common.topics` creates; 3 in production."""
    object_store_url: str = "file:///var/lib/alpr/objects"
    """Pictures: file:///folder or s3://bucket/prefix (credentials from the AWS_… variables)."""
    token_public_key_file: Path = Path("/etc/alpr/token-public.pem")
    """PEM of identity's Ed25519 public key: what every service verifies tokens with."""
    policy_file: Path | None = None
    """The agency's policy (TOML, see policy.py); None: the defaults."""
    policies_folder: Path | None = None
    """Policies of single agencies, `<agency_id>.toml` each; others follow `ALPR_POLICY_FILE`.
    access-log takes retention and the rules of its door from them; alerts, retention and
    escalation; identity and the console, the ranks of supervisors."""
    models_folder: Path = Path("models")
    """The shipped weights, each in a folder with its config and card."""
    log_format: Literal["json", "console"] = "json"
    """Lines for machines, or for people."""
    log_level: str = "INFO"
    otlp_endpoint: str | None = None
    """OTLP/HTTP collector for traces; None keeps trace context flowing but exports nothing."""

    ingest_url: str = "http://127.0.0.1:8001"
    """Where the others are; the console and clients follow these."""
    matcher_url: str = "http://127.0.0.1:8003"
    alerts_url: str = "http://127.0.0.1:8005"
    access_log_url: str = "http://127.0.0.1:8006"
    identity_url: str = "http://127.0.0.1:8007"
    console_url: str = "http://127.0.0.1:8008"


class ListenSettings(BaseSettings):
    """Where a service's HTTP listens. Subclass it and set `env_prefix`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = 8000


class DatabaseSettings(BaseSettings):
    """The two roles of a service in PostgreSQL. Subclass it and set `env_prefix`.

    `migration_database_url` is the schema's owner, used at start-up alone; `database_url` is a
    role that owns nothing, so that row-level security binds it.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str
    migration_database_url: str
    database_pool_size: int = 8
