"""A canary is recognised in whatever it is wrapped in, and nothing else is taken for one."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import uuid
import zipfile
import zlib
from collections.abc import Callable

import pytest
from itsdangerous import URLSafeSerializer, URLSafeTimedSerializer

from flask_tenant.doctor.canary import Canaries


def zipped(data: bytes) -> bytes:
    """An archive such as an office file is."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", data)
    return file.getvalue()


WRAPPINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: b"<p>" + data + b"</p>",
    "upper case": bytes.upper,
    "within a word": lambda data: b"file_" + data + b"x.txt",
    "utf-16": lambda data: data.decode().encode("utf-16"),
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "zip": zipped,
    "gzip in zip": lambda data: zipped(gzip.compress(data)),
    "PDF": lambda data: b"%PDF-1.4\nstream\n" + zlib.compress(data) + b"\nendstream",
    "base64": lambda data: b'{"x": "' + base64.b64encode(b"name=" + data) + b'"}',
    "URL-safe base64": lambda data: base64.urlsafe_b64encode(b"\xff\xfe\xfd" + data).rstrip(b"="),
    "signed": lambda data: URLSafeSerializer("key").dumps(data.decode()).encode(),
    "signed and packed": lambda data: URLSafeTimedSerializer("key").dumps({"x": data.decode() * 20}).encode(),
}


@pytest.mark.parametrize("name", WRAPPINGS)
def test_a_word_in_a_wrapping(name: str) -> None:
    canaries = Canaries()
    word = canaries.word("B", "note", "title")
    data = WRAPPINGS[name](word.encode())
    assert [mark.word for mark in canaries.find(data, "B")] == [word]
    assert canaries.find(data, "A") == []


@pytest.mark.parametrize(
    "shown", ["{}", "{:,}", "EUR {:,}.00", "{}.50", "x={};"], ids=["plain", "commas", "money", "half", "assigned"]
)  # fmt: skip
def test_a_number(shown: str) -> None:
    canaries = Canaries()
    number = canaries.number("B", "invoice", "total")
    found = [mark.column for mark in canaries.find(shown.format(number), "B")]
    assert found == ([] if shown == "{}.50" else ["total"])


def test_cents() -> None:
    canaries = Canaries()
    number = canaries.number("B", "invoice", "total")
    for shown in (
        f"{number / 100:.2f}",
        f"{number / 100:,.2f}",
        f"{number // 100:,}".replace(",", ".") + f",{number % 100:02}",
    ):
        assert canaries.find(f"<td>€ {shown}</td>", "B"), shown


def test_a_uuid() -> None:
    canaries = Canaries()
    value = canaries.keep_uuid(str(uuid.uuid4()), "B", "note", "id")
    for shown in (value, value.upper(), value.replace("-", "")):
        assert canaries.find(f"/notes/{shown}/", "B")


def test_what_was_sent_may_come_back() -> None:
    canaries = Canaries()
    sent, other = (canaries.word("B", "note", column) for column in ("title", "body"))
    answer = json.dumps({"asked": sent, "found": other})
    assert [mark.word for mark in canaries.find(answer, "B", f"q={sent}")] == [other]


def test_noise_is_no_canary() -> None:
    """Random tokens, hashes, numbers and binaries by the megabyte."""
    canaries, chance = Canaries(), random.Random(7)
    for _ in range(300):
        canaries.word("B", "note", "title")
        canaries.number("B", "note", "count")
    noise = chance.randbytes(300_000)
    for data in (noise, noise.hex().encode(), base64.b64encode(noise), base64.urlsafe_b64encode(noise)):
        assert canaries.find(data, "B") == []
