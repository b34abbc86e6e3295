"""Foreign URLs lead to public hosts over https, or are not fetched."""

import asyncio
import ipaddress
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genstep import guard
from genstep.errors import AssetError

PUBLIC = "93.184.215.14"


def lookup(*addresses):
    async def found(host, port):
        return list(addresses)

    return found


def resolve(url, *addresses, **options):
    return asyncio.run(guard.resolve(url, lookup=lookup(*(addresses or (PUBLIC,))), **options))


def refusal(url, *addresses, **options):
    with pytest.raises(AssetError) as caught:
        resolve(url, *addresses, **options)
    assert caught.value.code == "asset_url_refused"
    return caught.value.message


# ---- what passes


def test_a_public_url_is_resolved_once_to_the_address_that_was_checked():
    target = resolve("https://cdn.example/a/b.png?sig=x%2F1&e=2#top", "93.184.215.14", "2606:2800:21f::1")
    assert target.address == "93.184.215.14"
    assert target.addresses == ("93.184.215.14", "2606:2800:21f::1")
    assert (target.scheme, target.host, target.port) == ("https", "cdn.example", 443)
    assert target.path_and_query == "/a/b.png?sig=x%2F1&e=2"


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://CDN.Example.:8443", "cdn.example", 8443, "/"),
        ("HTTPS://cdn.example/?a", "cdn.example", 443, "/?a"),
        ("https://bücher.example/füchse.png", "xn--bcher-kva.example", 443, "/f%C3%BCchse.png"),
        (f"https://{PUBLIC}/x", PUBLIC, 443, "/x"),
        ("https://[2606:2800:021f::0001]/x", "2606:2800:21f::1", 443, "/x"),
        ("https://a_b.example//x//", "a_b.example", 443, "//x//"),
    ],
)
def test_hosts_and_paths_get_one_form(url, host, port, path):
    target = resolve(url)
    assert (target.host, target.port, target.path_and_query) == (host, port, path)


def test_an_address_in_the_url_is_not_looked_up():
    async def never(host, port):
        raise AssertionError("looked up")

    assert asyncio.run(guard.resolve(f"https://{PUBLIC}/x", lookup=never)).address == PUBLIC


def test_a_public_address_behind_nat64_passes_and_a_private_one_does_not():
    assert resolve("https://cdn.example/", "64:ff9b::5db8:d70e").address == "64:ff9b::5db8:d70e"
    refusal("https://cdn.example/", "64:ff9b::a00:1")


# ---- what does not

NOT_PUBLIC = [
    "127.0.0.1",
    "127.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.1.1",
    "0.0.0.0",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.215.14",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::5db8:d70e",
    "2002:7f00:1::",
    "2002:5db8:d70e::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "100::1",
    "3fff::1",
    "not-an-address",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_name_that_leads_to_a_special_address_is_refused(address):
    assert "no public address" in refusal("https://cdn.example/x", address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_one_bad_address_among_good_ones_is_enough(address):
    refusal("https://cdn.example/x", PUBLIC, address)


@pytest.mark.parametrize("host", [a for a in NOT_PUBLIC if a[0].isdigit() and "." in a and ":" not in a])
def test_a_special_address_in_the_url_is_refused(host):
    refusal(f"https://{host}/x")


@pytest.mark.parametrize("host", [a for a in NOT_PUBLIC if ":" in a and "%" not in a])
def test_a_special_ipv6_address_in_the_url_is_refused(host):
    refusal(f"https://[{host}]/x")


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "127.0.0.1..",
        "127.0.0.01",
        "1",
        "0",
        "0x",
        "999.1.1.1",
        "1.2.3",
        "1.2.3.4.5",
        "[fe80::1%25eth0]",
        "[::1%lo]",
        "[v1.x]",
        "[::1",
        "ex%61mple.com",
        "a..b",
        "-a.example",
        "faß.example",
        "127\u30020\u30020\u30021",
        "\u2460\u2461\u2466.0.0.1",
        "\uff11\uff12\uff17.0.0.1",
        "a\u200db.example",
    ],
)
def test_odd_forms_of_hosts_are_refused(host):
    refusal(f"https://{host}/x", PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example/x",
        "ftp://cdn.example/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//cdn.example/x",
        "/x",
        "",
        "https://",
        "https:///x",
        "https://cdn.example:0/",
        "https://cdn.example:99999/",
        "https://cdn.example:x/",
        "https://user@cdn.example/",
        "https://user:word@cdn.example/",
        "https://@cdn.example/",
        "https://cdn.example\\@evil.example/",
        "https://cdn.example/a b",
        "https://cdn.example/\r\nX: y",
        "https://cdn\t.example/",
        "\x00https://cdn.example/",
    ],
)
def test_what_is_no_plain_https_url_is_refused(url):
    refusal(url)


def test_messages_hold_no_query_and_no_password_and_say_what_to_do():
    message = refusal("http://user:fake-word@cdn.example/x?sig=fake-signature#f")
    assert "fake-word" not in message
    assert "fake-signature" not in message
    assert "allowed_hosts" in refusal("http://cdn.example/x")
    assert "allowed_hosts" in refusal("https://cdn.example/x", "10.0.0.1")


def test_a_host_that_is_not_found_may_be_asked_for_again():
    async def broken(host, port):
        raise OSError("Name or service not known")

    with pytest.raises(AssetError, match=r"cdn\.example was not found") as caught:
        asyncio.run(guard.resolve("https://cdn.example/x?sig=1", lookup=broken))
    assert caught.value.code == "download"
    assert "sig" not in caught.value.message
    with pytest.raises(AssetError, match="no address"):
        asyncio.run(guard.resolve("https://cdn.example/x", lookup=lambda host, port: asyncio.sleep(0, [])))


# ---- the account's own host, and those that it allows


def test_the_accounts_own_host_and_port_may_be_local_and_plain():
    own = "http://127.0.0.1:8123/conceptviz/api/v1"
    target = resolve("http://127.0.0.1:8123/assets/1.png", own=own)
    assert (target.scheme, target.address, target.port) == ("http", "127.0.0.1", 8123)
    refusal("http://127.0.0.1:8124/assets/1.png", own=own)
    refusal("http://127.0.0.2:8123/assets/1.png", own=own)
    refusal("https://10.0.0.1:8123/", own=own)


def test_the_accounts_own_host_is_known_by_name_with_its_default_port():
    own = "https://Gateway.Corp/api"
    assert resolve("https://gateway.corp/x", "10.1.2.3", own=own).address == "10.1.2.3"
    assert resolve("https://gateway.corp:443/x", "192.168.0.9", own=own).port == 443
    refusal("http://gateway.corp/x", "10.1.2.3", own=own)
    refusal("https://gateway.corp.evil.example/x", "10.1.2.3", own=own)


@pytest.mark.parametrize("name", ["files.corp", "files.corp:8080", " FILES.corp. "])
def test_a_host_that_the_account_allows_may_be_local_and_plain(name):
    assert resolve("http://files.corp:8080/x", "10.0.0.7", allowed=[name]).address == "10.0.0.7"
    refusal("http://other.corp:8080/x", "10.0.0.7", allowed=[name])


def test_an_allowed_port_is_that_port_alone():
    refusal("http://files.corp/x", "10.0.0.7", allowed=["files.corp:8080"])
    assert resolve("http://[::1]:8080/x", allowed=["[::1]:8080"]).address == "::1"
    assert resolve("http://[::1]:9/x", allowed=["::1"]).address == "::1"
    refusal("http://[::1]:9/x", allowed=["[::1]:8080"])


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "100.100.100.200", "224.0.0.1", "0.0.0.0"]
)
def test_an_allowed_name_opens_no_way_to_metadata_or_link_local_addresses(address):
    refusal("https://files.corp/x", address, allowed=["files.corp"])
    refusal("https://files.corp/x", address, own="https://files.corp")


# ---- garbage


@given(st.ip_addresses())
def test_whatever_counts_as_public_is_public_to_python_too(address):
    if guard.public(str(address)) and address not in ipaddress.ip_network("64:ff9b::/96"):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved


@given(st.ip_addresses(v=4))
def test_no_address_is_reached_by_its_ipv6_disguise(address):
    number = int(address)
    disguises = [f"::ffff:{address}", f"::{address}", str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80)))]
    assert not any(guard.public(disguise) for disguise in disguises)
    assert guard.public(str(ipaddress.IPv6Address((0x64FF9B << 96) | number))) == guard.public(str(address))


url_pieces = st.lists(
    st.sampled_from(
        [
            "https://",
            "http://",
            "[",
            "]",
            "@",
            ":",
            "/",
            "\\",
            "127.0.0.1",
            "0x7f",
            "%",
            "ü",
            "。",
            "?",
            "#",
            "a.example",
        ]
    )
    | st.text(max_size=5),
    max_size=8,
).map("".join)


@given(st.text(max_size=40) | url_pieces)
def test_garbage_is_refused_or_leads_to_a_public_address(url):
    try:
        target = resolve(url)
    except AssetError:
        return
    assert target.scheme == "https"
    assert guard.public(target.address)
    assert target.path_and_query.isascii()
    assert target.path_and_query.startswith("/")


@given(st.text(max_size=40) | url_pieces)
def test_a_redacted_url_has_no_query_and_no_user(url):
    redacted = guard.redact_url(url)
    assert "?" not in redacted
    assert "#" not in redacted
    assert guard.redact_url(redacted) == redacted


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("https://u:p@h.example:8/a/b?x=1#f", "https://h.example:8/a/b"),
        ("https://h.example/a@b", "https://h.example/a@b"),
        ("https://u:p@ss@h.example", "https://h.example"),
        ("data:image/png;base64,AAAA", "data:image/png"),
        ("/relative?x=1", "/relative"),
        ("s3://key:word@bucket/art", "s3://bucket/art"),
    ],
)
def test_redacted_urls(url, redacted):
    assert guard.redact_url(url) == redacted


def test_the_system_resolves_names():
    target = asyncio.run(guard.resolve("http://localhost:81/x", allowed=["localhost"]))
    assert set(target.addresses) <= {"127.0.0.1", "::1"}
    with pytest.raises(AssetError, match="no public address"):
        asyncio.run(guard.resolve("https://localhost/x"))


def test_the_module_loads_no_library():
    code = "import sys, genstep.guard; print({'httpx', 'pydantic', 'asyncio', 'socket'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
