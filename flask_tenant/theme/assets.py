"""Logos and fonts: read once, checked, and kept: what was checked is what is served."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from . import svg
from .tokens import FileName

LARGEST = {"image": 200 * 1024, "font": 400 * 1024}
"""Bytes that a file may have."""

_KINDS = {
    "svg": ("image", "image/svg+xml", ()),
    "png": ("image", "image/png", (b"\x89PNG\r\n\x1a\n",)),
    "jpg": ("image", "image/jpeg", (b"\xff\xd8\xff",)),
    "jpeg": ("image", "image/jpeg", (b"\xff\xd8\xff",)),
    "webp": ("image", "image/webp", (b"RIFF",)),
    "woff2": ("font", "font/woff2", (b"wOF2",)),
    "woff": ("font", "font/woff", (b"wOFF",)),
}


class AssetError(ValueError):
    """A file cannot be part of a theme; the message says why."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of a theme.

    :param type: its media type
    :param digest: of its content
    """

    path: Path
    type: str
    content: bytes
    digest: str
    stamp: tuple[int, int]

    @property
    def fresh(self) -> bool:
        """Whether the file is still the one that was read."""
        return stamp(self.path) == self.stamp

    @property
    def ending(self) -> str:
        """What follows the last point of its name."""
        return self.path.suffix[1:].lower()


def stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does; zeros for a file that is not there."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def load(folder: Path, name: FileName) -> Asset:
    """Read a file of a theme.

    :param folder: where the tenant's own files are, or those of shared themes; nothing outside it is read
    :raises AssetError: for a file that is missing, elsewhere, too large, or not what its name says
    """
    path = folder / name.name
    kind, media, begins = _KINDS[name.ending]
    at = stamp(path)
    try:
        if path.resolve().parent != folder.resolve():
            raise AssetError(f"{name.name} leads out of its folder")
        with path.open("rb") as file:
            content = file.read(LARGEST[kind] + 1)
    except OSError as error:
        raise AssetError(f"{name.name} cannot be read in {folder.name}/: {error.strerror or error}") from None
    if len(content) > LARGEST[kind]:
        raise AssetError(f"{name.name} is larger than {LARGEST[kind] // 1024} KiB")
    if (begins and not content.startswith(begins)) or (name.ending == "webp" and content[8:12] != b"WEBP"):
        raise AssetError(f"{name.name} is no {name.ending} file, whatever its name says")
    if name.ending == "svg":
        try:
            svg.check(content)
        except svg.UnsafeDrawingError as error:
            raise AssetError(f"{name.name}: {error}") from None
    return Asset(path, media, content, hashlib.sha256(content).hexdigest()[:20], at)
