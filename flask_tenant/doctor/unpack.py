"""Opens what a canary may be wrapped in: compression, archives, office files, PDF streams, base64."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator

MOST = 20_000_000
"""Bytes that are looked at in one answer."""

DEEP = 3
"""How many wrappings are opened one inside the other."""

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)


def texts(data: bytes, depth: int = DEEP) -> Iterator[str]:
    """Return everything in ``data`` that can be read as text, the data itself first."""
    data = data[:MOST]
    yield data.decode("utf-8", "replace")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        yield data.decode("utf-16", "replace")
    if depth:
        for inner in _within(data):
            yield from texts(inner, depth - 1)


def _within(data: bytes) -> Iterator[bytes]:
    if data[:2] == b"\x1f\x8b":
        yield from _inflated(data, 31)
    elif data[:4] == b"PK\x03\x04":
        yield from _members(data)
    elif data[:5] == b"%PDF-":
        for stream in _STREAM.finditer(data):
            yield from _inflated(stream.group(1), 15)
    elif data[:1] == b"\x78":
        yield from _inflated(data, 15)
    else:
        for run in _BASE64.finditer(data):
            yield from _decoded(run.group())


def _inflated(data: bytes, window: int) -> Iterator[bytes]:
    try:
        yield zlib.decompressobj(window).decompress(data, MOST)
    except zlib.error:
        return


def _members(data: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist()[:1000]:
                yield name.encode()
                with archive.open(name) as member:
                    yield member.read(MOST)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):  # damaged, or under a password
        return


def _decoded(run: bytes) -> Iterator[bytes]:
    padded = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        yield base64.b64decode(padded + b"=" * (-len(padded) % 4), validate=True)
    except binascii.Error:
        return


def unzipped(data: bytes, encoding: str) -> bytes:
    """Return a response's body without its ``Content-Encoding``, or as it is where that is unknown."""
    try:
        if encoding == "gzip":
            return gzip.decompress(data)
        if encoding == "deflate":
            return zlib.decompress(data)
    except (OSError, EOFError, zlib.error):
        pass
    return data
