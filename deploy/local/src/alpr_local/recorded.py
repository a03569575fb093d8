"""Becomes another program after writing down the pid both share.

`python -m alpr_local.recorded PID_FILE PROGRAM ARGUMENT…`: so that a process somebody else's runner
starts can still be found and stopped when that runner was killed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from alpr_local.pidfile import PidFile

if __name__ == "__main__":
    PidFile(Path(sys.argv[1])).record(os.getpid())
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  (no shell is the point)
