"""`python -m alpr_access_log purge [--dry-run]`: enforce retention now, or see what would go."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from alpr_access_log.evidence.alerts import Alerts
from alpr_access_log.holds.handlers import Holds
from alpr_access_log.retention import handlers as retention
from alpr_access_log.retention.handlers import Purged
from alpr_access_log.settings import Settings
from alpr_common.errors import Outage
from alpr_common.objects import Pictures
from alpr_common.policy import AgencyPolicies
from alpr_common.postgres import Database, migrate


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 when it is done, 1 where another process is at it, 2 on an outage."""
    parser = argparse.ArgumentParser(
        prog="python -m alpr_access_log purge",
        description="Remove the reads that are past their agency's retention. Each purge leaves "
        "a certificate in the log; what a legal hold names stays.",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, change nothing")
    dry_run: bool = parser.parse_args(arguments).dry_run
    try:
        purged = asyncio.run(_purge(Settings(), dry_run))
    except Outage as error:
        print(f"stopped: {error.detail} Run it again to go on.", file=sys.stderr)
        return 2
    if purged is None:
        print("another process enforces retention now", file=sys.stderr)
        return 1
    for one in purged:
        print(_line(one))
    total = sum(one.tally.count for one in purged)
    print(f"{'would go' if dry_run else 'gone'}: {total} reads")
    return 0


async def _purge(settings: Settings, dry_run: bool) -> list[Purged] | None:
    common = settings.common
    await migrate(settings.migration_database_url, "alpr_access_log")
    database = await Database.connect(settings.database_url, 3)
    try:
        keeping = Holds(
            database,
            Pictures.at(common.object_store_url),
            AgencyPolicies.load(common.policy_file, common.policies_folder),
            Alerts(common.alerts_url),
        )
        return await retention.enforce(keeping, datetime.now(UTC), dry_run=dry_run)
    finally:
        await database.close()


def _line(purged: Purged) -> str:
    what = str(purged.day) if purged.day else "held"
    tally = purged.tally
    line = f"{purged.agency_id}  {what:10}  {tally.count} reads, {tally.kept} kept"
    return f"{line}, certificate {purged.certificate_id}" if purged.certificate_id else line
