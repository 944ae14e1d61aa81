"""Asks django-taggit and a host to parse the same tag strings, and compares what they answer.

Arguments: the address of the host, the number of seeded random strings, the seed.
"""

import random
import sys

import django
import httpx
from django.conf import settings

settings.configure()
django.setup()

from taggit.utils import parse_tags  # noqa: E402: Django is configured first

PICKED = [
    "", " ", ",", ", ,", '"', '""', '" "', '"""', "a", "a b", "a,b", "a, b c", "a  b", " a b ", "a,b ,c",
    '"a b" c', '"a, b" c', 'a "b c" d', 'a, "b, c" d e', '"a b', 'a "b', 'a "b, c', '"a" "b', 'a"b"c',
    'a "b" c, d', '"a,b",c', ',a', 'a,', '"a",', ',"a"', '"a""b"', 'a""b', '" a "', '"a " b', "a\tb c",
    "a\nb,c", "a\u00a0b", "\u00a0a\u00a0", "\u2003a b", "\x1ca\x1f b", "\x85a", "a\u200bb", "A a", "é e\u0301",
    "日本 語,漢字", "日本、語", "“a b” c", "'a b' c", "a;b c", "\\\"a b\\\"", 'a,"b" c,"d', "b a b a", "z, a, m",
    "🦀 rust", "\u202eabc def", "\ufeffa b", "x" * 300, ",".join("abcdefgh"), " ".join("hgfedcba"),
]
LETTERS = ['"', '"', ",", ",", " ", " ", " ", "a", "b", "c", "A", "é", "日", "\t", "\n", "\u00a0", "\u2003",
           "\x1c", "\x85", "\u200b", "🦀", "'", "\\", "-", "\u3000"]


def strings(count: int, seed: int):
    """The picked strings, then as many random ones of letters that matter."""
    yield from PICKED
    source = random.Random(seed)
    for _ in range(count):
        yield "".join(source.choice(LETTERS) for _ in range(source.randrange(24)))


def main(url: str, count: int, seed: int) -> int:
    differences = compared = 0
    with httpx.Client(base_url=url, timeout=20) as client:
        for text in strings(count, seed):
            answer = client.post("/api/tags/parse", json={"text": text}).raise_for_status()
            theirs, ours = parse_tags(text), answer.json()["names"]
            compared += 1
            if theirs != ours:
                differences += 1
                print(f"{text!r}: taggit {theirs!r}, the host {ours!r}")
    print(f"compared {compared} strings, {differences} differences")
    return 1 if differences else 0


sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
