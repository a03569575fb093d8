"""Settings of the hot-list API (`ALPR_MATCHER_…`) and of the worker (`ALPR_MATCHER_WORKER_…`)."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from alpr_common.settings import CommonSettings, DatabaseSettings, ListenSettings


class Settings(ListenSettings, DatabaseSettings):
    """The hot-list API."""

    model_config = SettingsConfigDict(env_prefix="ALPR_MATCHER_", frozen=True, extra="ignore")

    port: int = 8003
    import_max_bytes: int = 512 * 1024 * 1024
    """A larger file is refused. What is taken goes to a temporary file, never into memory."""
    import_max_lines: int = 5_000_000
    mappers_folder: Path | None = None
    """The agency's own mappers, `<name>.toml` each, before the shipped ones."""
    import_folder: Path | None = None
    """Watched: files in `<agency_id>/<source>/` are imported once and moved to `done` or `failed`
    there, with a report beside. For SFTP and other drops; None watches nothing."""
    import_folder_seconds: float = 5.0
    """How often it is looked at; a file counts as whole when two looks find it unchanged."""
    upkeep_seconds: float = 30.0
    """How often overdue second checks are told of and freshness is measured."""
    retro_accounts_file: Path | None = None
    """TOML: a table per agency_id with `username` and `password` of its service account, as whom
    stored reads are compared with new entries (retro-match). None: they are not."""
    retro_interval_seconds: float = 1.0
    retro_settle_seconds: float = 15.0
    """How long an entry waits for that: a read that passed the workers just before the entry did
    is stored by then."""
    expiry_sweep_seconds: float = 60.0
    expired_kept_seconds: int | None = None
    """How long an expired entry stays on the topic, for reads from before it expired. None: as long
    as a read may be delivered late (the policy says) and stay on its topic."""
    common: CommonSettings = Field(default_factory=CommonSettings)


class WorkerSettings(ListenSettings):
    """The worker that joins reads with the hot list."""

    model_config = SettingsConfigDict(
        env_prefix="ALPR_MATCHER_WORKER_", frozen=True, extra="ignore"
    )

    port: int = 8004
    data_folder: Path = Path("/var/lib/alpr/matcher-worker")
    """A copy of the hot list is kept there, for a quick restart; each worker needs its own. It is
    thrown away and made anew from Kafka whenever it is not certainly good."""
    batch_size: int = 2000
    """Reads at most that are joined, published and committed together."""
    session_timeout_seconds: float = 6.0
    """After how long without a heartbeat the group gives a dead worker's partitions to others: its
    reads wait for that long. 6 s are the least that brokers allow unless told otherwise
    (group.min.session.timeout.ms)."""
    dead_letters_per_minute_max: int = 100
    expired_kept_seconds: int | None = None
    """How long an expired entry stays in this worker's table, for reads from before it expired.
    None: as long as a read may be delivered late and stay on its topic."""
    common: CommonSettings = Field(default_factory=CommonSettings)
