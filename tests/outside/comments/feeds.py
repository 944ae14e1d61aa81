"""Feeds, read by a parser that was written elsewhere. Arguments: the host's URL, and a token."""

import sys
import time

import feedparser
import httpx

url, token = sys.argv[1:]
client = httpx.Client(base_url=f"{url}/api/comments", headers={"authorization": f"Bearer {token}"})
TARGET = "post:feeds"


def write(body, parent=None):
    answer = client.post("", json={"target": TARGET, "body": body, "parent": parent})
    assert answer.status_code == 201, answer.text
    return answer.json()


def parsed(form, **headers):
    answer = httpx.get(f"{url}/api/comments/threads/{TARGET}/{form}", headers=headers)
    assert answer.status_code in (200, 304), answer.text
    return answer, feedparser.parse(answer.content, response_headers=dict(answer.headers))


def check_entries(feed, written):
    assert not feed.bozo, feed.bozo_exception
    assert [entry.id for entry in feed.entries] == [f"urn:uuid:{it['id']}" for it in reversed(written)]
    for entry, comment in zip(feed.entries, reversed(written)):
        assert entry.title and entry.author == "u1", entry
        expected = time.strptime(comment["created_at"][:19], "%Y-%m-%dT%H:%M:%S")
        assert entry.published_parsed[:6] == expected[:6], entry
        assert entry.link == f"https://example.org/post/feeds#comment-{comment['id']}", entry.link


def check_atom(written):
    """The elements that RFC 4287 asks for: id, title, updated of both; an author; a self link."""
    answer, atom = parsed("atom")
    assert atom.version == "atom10", atom.version
    check_entries(atom, written)
    assert atom.feed.id.startswith("urn:uuid:") and atom.feed.title and atom.feed.updated_parsed
    links = {link.rel: link for link in atom.feed.links}
    assert links["self"].type == "application/atom+xml"
    assert links["alternate"].href == "https://example.org/post/feeds"
    for entry, comment in zip(atom.entries, reversed(written)):
        assert entry.updated_parsed and entry.content[0].type == "text/html"
    assert "<em>Hello</em>" in atom.entries[-1].content[0].value
    assert atom.entries[0]["thr_in-reply-to"]["ref"] == f"urn:uuid:{written[0]['id']}"
    return answer


def check_rss(written):
    answer, rss = parsed("rss")
    assert rss.version == "rss20", rss.version
    check_entries(rss, written)
    assert rss.feed.title and rss.feed.link == "https://example.org/post/feeds"
    assert rss.feed.description and rss.feed.updated_parsed
    assert "<em>Hello</em>" in rss.entries[-1].summary
    return answer


def check_conditions(form, answer):
    """A reader asks again with what it was given, and gets nothing new."""
    known, _ = parsed(form, **{"if-none-match": answer.headers["etag"]})
    assert known.status_code == 304 and not known.content
    # It is told a date once the second of the last comment is over.
    deadline = time.monotonic() + 10
    while "last-modified" not in answer.headers:
        assert time.monotonic() < deadline, "there is no date"
        answer, _ = parsed(form)
    known, _ = parsed(form, **{"if-modified-since": answer.headers["last-modified"]})
    assert known.status_code == 304


top = write("*Hello*, <world> & \"all\" \u0008 \U0001f600 ]]>")
check_conditions("atom", check_atom([top, write("A reply", top["id"])]))
written = client.get("", params={"target": TARGET, "sort": "old"}).json()["items"]
check_conditions("rss", check_rss(written))
