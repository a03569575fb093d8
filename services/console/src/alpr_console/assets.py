"""Static files: our own beside this module, htmx and the typeface from where npm put them."""

from pathlib import Path

from fastapi.responses import FileResponse

from alpr_common.errors import NotFound
from alpr_console.pages import STATIC_FOLDER

# Drawn so that 0 and O, 1 and I, 8 and B cannot be taken for each other: that is what people
# compare here.
_SANS = "@fontsource/atkinson-hyperlegible-next/files/atkinson-hyperlegible-next-latin"
_MONO = "@fontsource/atkinson-hyperlegible-mono/files/atkinson-hyperlegible-mono-latin"

# Name under /static/vendor/ → place in node_modules. Nothing else of it is served.
_VENDOR = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "sans-400.woff2": f"{_SANS}-400-normal.woff2",
    "sans-700.woff2": f"{_SANS}-700-normal.woff2",
    "mono-400.woff2": f"{_MONO}-400-normal.woff2",
    "mono-700.woff2": f"{_MONO}-700-normal.woff2",
}

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}

_FOREVER = "public, max-age=31536000, immutable"


class Assets:
    """What is under /static."""

    def __init__(self, node_modules: Path) -> None:
        self._files = {path.name: path for path in STATIC_FOLDER.iterdir()}
        self._files |= {f"vendor/{name}": node_modules / at for name, at in _VENDOR.items()}

    def complete(self) -> bool:
        """Whether everything is there (install_assets.sh has run)."""
        return all(path.is_file() for path in self._files.values())

    def serve(self, name: str, *, fingerprinted: bool) -> FileResponse:
        """The file; with its content's fingerprint in the address it may be kept for good.

        Raises `NotFound`.
        """
        path = self._files.get(name)
        if path is None or not path.is_file():
            raise NotFound(f"There is no file {name}.")
        keep = _FOREVER if fingerprinted else "no-cache"
        return FileResponse(
            path, media_type=_TYPES.get(path.suffix), headers={"Cache-Control": keep}
        )
