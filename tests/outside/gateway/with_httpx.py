"""httpx through the gateway: HTTP/1.1 and HTTP/2, streams both ways, events, and broken answers."""

import os
import time

import httpx

URL = os.environ["CAPLET_URL"]
API = f"{URL}/api/plain"


def plain(client):
    seen = client.get(f"{API}/a%2Fb/c", params={"q": "ö&="}).raise_for_status().json()
    assert seen["path"] == "/a%2Fb/c?q=%C3%B6%26%3D", seen
    assert "connection" not in seen["headers"] and "cookie" not in seen["headers"], seen
    seen = client.post(f"{API}/x", json={"a": 1}, cookies={"session": "1"}).json()
    assert (seen["method"], seen["body"]) == ("POST", '{"a":1}'), seen
    assert seen["headers"]["content-type"] == "application/json", seen
    assert "cookie" not in seen["headers"], seen
    assert client.head(f"{API}/large?bytes=9").headers["content-length"] == "9"
    answer = client.get(f"{API}/redirect")
    assert (answer.status_code, answer.headers["location"]) == (302, "/api/plain/elsewhere")
    assert client.get(f"{API}/redirect", follow_redirects=True).json()["path"] == "/elsewhere"


def streams(client):
    """A part of a body is sent when the service has received the part before."""

    def parts():
        for number in range(5):
            yield f"part {number};".encode()
            deadline = time.monotonic() + 20
            while f"part {number};" not in "".join(httpx.get(f"{API}/parts").json()):
                assert time.monotonic() < deadline, f"part {number} was not received"

    answer = client.post(f"{API}/stream", content=parts())
    assert answer.content == b"PART 0;PART 1;PART 2;PART 3;PART 4;", answer.content
    megabyte = b"x" * (1 << 20)
    seen = client.put(f"{API}/x", content=(megabyte for _ in range(20))).json()
    assert len(seen["body"]) == 20 << 20
    total = 0
    with client.stream("GET", f"{API}/large?bytes=50000000") as answer:
        for part in answer.iter_bytes():
            total += len(part)
    assert total == 50_000_000, total


def events(client):
    with client.stream("GET", f"{API}/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        lines = answer.iter_lines()
        for number in range(3):
            httpx.post(f"{API}/next").raise_for_status()
            assert next(lines) == f"id: {number}"
            assert next(lines) == f"data: event {number}"
            assert next(lines) == ""
        assert list(lines) == []


def encrypted(client):
    """A certificate counts when its signer is trusted."""
    seen = client.get(f"{URL}/api/encrypted/a").raise_for_status().json()
    assert seen["path"] == "/a", seen
    answer = client.get(f"{URL}/api/strange/a")
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream-unreachable"), answer.text


def broken(client):
    try:
        client.get(f"{API}/gone")
    except httpx.RemoteProtocolError:
        return
    raise AssertionError("half an answer looked like a whole one")


for versions in [{"http1": True}, {"http1": False, "http2": True}]:
    with httpx.Client(timeout=30, **versions) as client:
        plain(client)
        encrypted(client)
        broken(client)
        if versions.get("http2") is None:
            streams(client)
        events(client)
