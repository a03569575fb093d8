"""A BagIt 1.0 bag (RFC 8493) in a zip file: written in one go, read with suspicion."""

import hashlib
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
SIGNATURE = "signature.note"
PAYLOAD = "data/"
# A zip can hold more than a disk; packages hold pictures and JSON.
_MOST_BYTES = 4 * 1024**3
# The earliest time that a zip can hold: the same content gives the same file.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BagInvalid(Exception):
    """The file is no bag, or not the one that its manifests describe."""


@dataclass(frozen=True)
class Bag:
    """A bag read from a zip: its name, tag files and payload by path (`data/…`)."""

    name: str
    tags: Mapping[str, bytes]
    payload: Mapping[str, bytes]
    faults: tuple[str, ...]
    """What is not as the manifests say; empty for a valid bag."""


def tag_files(payload: Mapping[str, bytes], info: Iterable[tuple[str, str]]) -> dict[str, bytes]:
    """All tag files of a bag with that payload, the tag manifest included.

    `info` are bag-info labels and values in order; raises ValueError for a path or a value that
    BagIt cannot carry.
    """
    for path in payload:
        _check_path(path)
        if not path.startswith(PAYLOAD):
            raise ValueError(f"{path}: payload lies under {PAYLOAD}")
    lines = [*info, ("Payload-Oxum", f"{sum(map(len, payload.values()))}.{len(payload)}")]
    for label, value in lines:
        if "\n" in value or ":" in label:
            raise ValueError(f"{label}: a bag-info value is one line")
    tags = {
        "bagit.txt": _DECLARATION.encode(),
        "bag-info.txt": "".join(f"{label}: {value}\n" for label, value in lines).encode(),
        MANIFEST: _manifest(payload),
    }
    return {**tags, TAG_MANIFEST: _manifest(tags)}


def write_bag(
    target: Path, name: str, payload: Mapping[str, bytes], tags: Mapping[str, bytes]
) -> None:
    """Write the zip, everything under the folder `name`; the target must not exist."""
    _check_path(name)
    with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as out:
        for path, content in sorted({**tags, **payload}.items()):
            entry = zipfile.ZipInfo(f"{name}/{path}", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100444 << 16
            out.writestr(entry, content)


def read_bag(source: Path) -> Bag:
    """Read and check against the manifests; raises `BagInvalid` when it is no bag at all."""
    try:
        with zipfile.ZipFile(source) as bag:
            entries = [entry for entry in bag.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > _MOST_BYTES:
                raise BagInvalid("the package would unpack to more than 4 GiB")
            files = {entry.filename: bag.read(entry) for entry in entries}
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise BagInvalid(f"no readable zip file: {error}") from error
    if len(files) != len(entries):
        raise BagInvalid("the zip holds two files of one name")
    name, inside = _without_folder(files)
    payload = {path: data for path, data in inside.items() if path.startswith(PAYLOAD)}
    tags = {path: data for path, data in inside.items() if path not in payload}
    for needed in ("bagit.txt", MANIFEST, TAG_MANIFEST):
        if needed not in tags:
            raise BagInvalid(f"{needed} is missing: this is no evidence package")
    if tags["bagit.txt"].decode("utf-8", "replace") != _DECLARATION:
        raise BagInvalid("bagit.txt does not declare BagIt 1.0 in UTF-8")
    signed = {p: d for p, d in tags.items() if p not in (TAG_MANIFEST, SIGNATURE)}
    faults = [
        *_compare(_parse(tags[MANIFEST]), payload),
        *_compare(_parse(tags[TAG_MANIFEST]), signed),
    ]
    return Bag(name, tags, payload, tuple(faults))


def bag_info(bag: Bag) -> dict[str, str]:
    """bag-info.txt as a mapping."""
    lines = bag.tags.get("bag-info.txt", b"").decode("utf-8", "replace").splitlines()
    return {
        label.strip(): value.strip() for label, _, value in (line.partition(":") for line in lines)
    }


def _manifest(files: Mapping[str, bytes]) -> bytes:
    lines = [f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in files.items()]
    return "".join(sorted(lines, key=lambda line: line[66:])).encode()


def _parse(manifest: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in manifest.decode("utf-8", "replace").splitlines():
        parts = re.fullmatch(r"([0-9a-f]{64}) +\*?(.+)", line)
        if not parts:
            raise BagInvalid(f"a manifest line is malformed: {line[:80]!r}")
        if parts[2] in found:
            raise BagInvalid(f"a manifest names {parts[2]} twice")
        found[parts[2]] = parts[1]
    return found


def _compare(manifest: Mapping[str, str], files: Mapping[str, bytes]) -> list[str]:
    faults = [f"{path}: missing" for path in sorted(manifest.keys() - files.keys())]
    faults += [f"{path}: not in the manifest" for path in sorted(files.keys() - manifest.keys())]
    faults += [
        f"{path}: changed"
        for path in sorted(manifest.keys() & files.keys())
        if hashlib.sha256(files[path]).hexdigest() != manifest[path]
    ]
    return faults


def _without_folder(files: Mapping[str, bytes]) -> tuple[str, dict[str, bytes]]:
    folders = {path.partition("/")[0] for path in files}
    if len(folders) != 1:
        raise BagInvalid("the zip does not hold exactly one folder")
    name = folders.pop()
    inside = {}
    for path, data in files.items():
        rest = path[len(name) + 1 :]
        try:
            _check_path(rest)
        except ValueError as error:
            raise BagInvalid(str(error)) from error
        inside[rest] = data
    return name, inside


def _check_path(path: str) -> None:
    parts = PurePosixPath(path).parts
    if not path or path.startswith("/") or ".." in parts or re.search(r"[\x00-\x1f\\%]", path):
        raise ValueError(f"{path!r}: not a path that a package may hold")
