"""Host names have one form: whatever is written otherwise comes out the same, or is refused."""

from __future__ import annotations

import ipaddress
import string

import idna
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flask_tenant.resolve.hosts import InvalidHostError, host_name, is_address, typed_name

LABELS = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True).filter(
    lambda label: label[2:4] != "--"
)
NAMES = (
    st.lists(LABELS, min_size=1, max_size=5)
    .map(".".join)
    .filter(
        lambda name: not name.rpartition(".")[2].isdigit() and not name.rpartition(".")[2].startswith("0x")
    )
)
PORTS = st.one_of(st.just(""), st.integers(0, 65535).map(lambda port: f":{port}"))


@given(NAMES, PORTS, st.booleans(), st.data())
def test_every_way_to_write_a_name_is_one_name(name: str, port: str, dot: bool, data: st.DataObject) -> None:
    written = "".join(data.draw(st.sampled_from([c.lower(), c.upper()])) for c in name)
    assert host_name(f"{written}{'.' if dot else ''}{port}") == name


@given(st.text(max_size=300))
def test_any_text_comes_out_plain_or_is_refused(text: str) -> None:
    try:
        found = host_name(text)
    except InvalidHostError:
        return
    assert set(found) <= set(string.ascii_lowercase + string.digits + "-.[]:")
    assert host_name(found) == found, "a normalised name is its own normal form"
    assert len(found) <= 253
    assert ".." not in found
    assert not found.endswith(".")


@given(st.text(st.sampled_from("abc.-:[]@/\\%\0\r\n 0x19AÄ_#?,"), max_size=40))
def test_ugly_text_comes_out_plain_or_is_refused(text: str) -> None:
    test_any_text_comes_out_plain_or_is_refused.hypothesis.inner_test(text)  # type: ignore[attr-defined]


@given(st.ip_addresses(), PORTS)
def test_addresses_have_one_form(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: str) -> None:
    if address.version == 4:
        assert host_name(f"{address}{port}") == str(address)
    else:
        plain = ipaddress.IPv6Address(int(address))
        for written in (plain.exploded, plain.compressed, plain.exploded.upper()):
            assert host_name(f"[{written}]{port}") == f"[{plain.compressed}]"
    assert is_address(
        host_name(f"{address}" if address.version == 4 else f"[{ipaddress.IPv6Address(int(address))}]")
    )


@given(
    st.text(
        st.characters(min_codepoint=0xA1, max_codepoint=0x2FFF, categories=["L"]), min_size=1, max_size=20
    )
)
def test_typed_names_become_what_idna_says(label: str) -> None:
    try:
        wanted = idna.encode(f"{label}.example", uts46=True, transitional=False).decode()
    except UnicodeError:
        with pytest.raises(InvalidHostError):
            typed_name(f"{label}.example")
        return
    found = typed_name(f"{label}.example")
    assert found == wanted
    assert typed_name(found) == found
    assert host_name(found.upper()) == found, "what a browser sends is what was registered"


@given(
    NAMES, st.sampled_from("@/\\?#%,;=&'\"<>{}|^`~!$*()+ \t\r\n\0_\u00ad\u200b\uff41"), st.integers(0, 100)
)
def test_one_bad_character_spoils_a_name(name: str, bad: str, at: int) -> None:
    at %= len(name) + 1
    with pytest.raises(InvalidHostError):
        host_name(f"{name[:at]}{bad}{name[at:]}")


@pytest.mark.parametrize(
    "header",
    [
        "user@acme.example.com",
        "user:pass@acme.example.com",
        "acme.example.com:80@evil.example",
        "acme.example.com\r\nX-Evil: 1",
        "acme.example.com\n",
        "acme.example.com\0",
        "acme.example.com:",
        "acme..example.com",
        ".acme.example.com",
        "acme.example.com..",
        "-acme.example.com",
        "acme-.example.com",
        "a_b.example.com",
        "acme.example.com:65536",
        "acme.example.com:８０",
        "acme.example.com:80:80",
        "acme.example.com:-1",
        "acme.example.com, bella.example.com",
        "xn--.example.com",
        "xn--a.example.com",
        "xn--ls8h.example.com.xn--zzzzz\x7f",
        "ab--cd.example.com",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "127.0.0.256",
        "127.0.0.01",
        "acme.0x1",
        "[::1",
        "::1",
        "[::1]x",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[127.0.0.1]",
        "[acme]",
        "a" * 64 + ".example.com",
        ".".join(["a" * 60] * 5),
        "a." * 100_000,
        "ａｃｍｅ.example.com",
        "аcme.example.com",
        "acme\u00ad.example.com",
        "%61cme.example.com",
        "acme。example。com",
    ],
)
def test_what_is_no_host_name_is_refused(header: str) -> None:
    if header == "acme.example.com:":
        assert host_name(header) == "acme.example.com"  # RFC 3986: an empty port is none
        return
    with pytest.raises(InvalidHostError):
        host_name(header)


def test_longest_name() -> None:
    name = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert len(name) == 253
    assert host_name(f"{name}.:65535") == name
    with pytest.raises(InvalidHostError):
        host_name(f"{name}b")


def test_no_host_is_no_host() -> None:
    assert host_name("") == ""
    assert host_name(":80") == ""


def test_kept_results_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan of many hosts fills no memory."""
    from flask_tenant.resolve import hosts

    for number in range(10_000):
        host_name(f"h{number}.example.com")
    info = hosts._host_name.cache_info()
    assert info.maxsize is not None
    assert info.currsize <= info.maxsize <= 4096
    before = info.misses
    with pytest.raises(InvalidHostError):
        host_name("a" * 10_000)
    assert hosts._host_name.cache_info().misses == before, "an over-long name is not even looked up"


@given(st.text(max_size=60))
def test_typed_text_comes_out_plain_or_is_refused(text: str) -> None:
    try:
        found = typed_name(text)
    except InvalidHostError:
        return
    assume(found)
    assert host_name(found) == found
