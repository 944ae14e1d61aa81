"""Moving in: files shaped like those of Disqus and Commento, an archive that goes out and comes back
into another tenant. Arguments: the host's URL, a token, and a token of another tenant."""

import pathlib
import sys

import httpx

url, token, token_of_other = sys.argv[1:]
FILES = pathlib.Path(__file__).parent / "files"


def client(token):
    return httpx.Client(
        base_url=f"{url}/api/comments", headers={"authorization": f"Bearer {token}"}, timeout=30
    )


here, there = client(token), client(token_of_other)


def bring(client, query, file):
    """Imports all parts of a file; returns how many came, were there, and were refused."""
    counts, part = [0, 0, 0], 0
    while part is not None:
        answer = client.post("/import", params={**query, "from": part}, content=file)
        assert answer.status_code == 200, answer.text
        report = answer.json()
        for place, name in enumerate(("n_imported", "n_present", "n_refused")):
            counts[place] += report[name]
        part = report["next"]
    return counts


def take(client):
    lines, path = [], "/export?limit=3"
    while path:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        lines.append(answer.text)
        following = answer.links.get("next", {}).get("url")
        path = following and following.removeprefix("/api/comments")
    return "".join(lines)


disqus = (FILES / "disqus.xml").read_bytes()
assert bring(here, {"format": "disqus", "type": "post"}, disqus) == [6, 0, 2]
assert bring(here, {"format": "disqus", "type": "post"}, disqus) == [0, 6, 2]
commento = (FILES / "commento.json").read_bytes()
assert bring(here, {"format": "commento", "type": "post"}, commento) == [4, 0, 1]

tree = here.get("", params={"target": "post:/2012/hello/", "view": "tree", "sort": "old"}).json()
first = tree["items"][0]
assert first["author_name"] == "Ada Lovelace" and first["created_at"].startswith("2012-03-04T05:06")
assert first["replies"][0]["replies"][0]["body"] == "Third level"
assert "javascript" not in first["replies"][0]["html"]

archive = take(here)
assert archive.count("\n") == 10
assert bring(there, {"format": "archive"}, archive.encode()) == [10, 0, 0]
assert bring(there, {"format": "archive"}, archive.encode()) == [0, 10, 0]
assert take(there) == archive
