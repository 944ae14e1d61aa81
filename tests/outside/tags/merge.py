"""Makes the same changes in django-taggit (on SQLite in memory) and through a host: items get tags,
tags are merged. Then each item must have the same tags in both.

Merging is done as taggit's admin does it: by its own view. Left out on purpose: merging a tag into
itself, which the host refuses and which takes the tag from all its items in taggit.

Arguments: the address of the host, a token that may curate, the number of changes, the seed.
"""

import random
import sys

import django
import httpx
from django.conf import settings
from django.db import connection, models

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
        "django.contrib.messages", "django.contrib.sessions", "taggit",
    ],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    TAGGIT_CASE_INSENSITIVE=True,
    ROOT_URLCONF="__main__",
)
django.setup()

from django.contrib import admin  # noqa: E402: Django is configured first
from django.core.management import call_command  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from taggit.admin import TagAdmin  # noqa: E402
from taggit.managers import TaggableManager  # noqa: E402
from taggit.models import Tag  # noqa: E402

urlpatterns = []


class Post(models.Model):
    """Something that can be tagged."""

    tags = TaggableManager()

    class Meta:
        app_label = "taggit"


NAMES = [f"name {number}" for number in range(14)]
ITEMS = range(1, 13)


def merge_in_taggit(names: list[str], into: str) -> None:
    """Asks taggit's admin view to merge tags."""
    request = RequestFactory().post("/merge-tags/", {"new_tag_name": into})
    ids = Tag.objects.filter(name__in=names).values_list("id", flat=True)
    request.session = {"selected_tag_ids": ",".join(str(number) for number in ids)}
    request._messages = Messages()
    TagAdmin(Tag, admin.site).merge_tags_view(request)
    # taggit leaves a merged tag without items; the host removes it and lets its name lead elsewhere.
    Tag.objects.filter(name__in=names).delete()


class Messages:
    """Takes what the view tells its user."""

    def add(self, *_arguments) -> None:
        """Forgets it."""


class Host:
    """The host's API."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self.client = httpx.Client(base_url=f"{url}/api/tags", headers=headers, timeout=20)

    def set(self, item: int, names: list[str]) -> None:
        self.client.put(f"/items/post/{item}", json={"tags": names}).raise_for_status()

    def merge(self, name: str, into: str) -> None:
        path = f"/{name.replace(' ', '-')}/merge"
        self.client.post(path, json={"into": into.replace(" ", "-")}).raise_for_status()

    def names(self, item: int) -> list[str]:
        found = self.client.get(f"/items/post/{item}").raise_for_status().json()["tags"]
        return sorted(tag["name"] for tag in found)

    def popular(self) -> dict[str, int]:
        page = self.client.get("/popular?limit=100").raise_for_status().json()["items"]
        return {tag["name"]: tag["count"] for tag in page}


def main(url: str, token: str, count: int, seed: int) -> int:
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Post)
    posts = {item: Post.objects.create(pk=item) for item in ITEMS}
    host, source, used = Host(url, token), random.Random(seed), list(NAMES)
    n_merges = 0
    for _ in range(count):
        if source.random() < 0.8 or len(used) < 4:
            item, names = source.choice(ITEMS), source.sample(used, source.randrange(min(6, len(used))))
            posts[item].tags.set(names)
            host.set(item, names)
        else:
            name, into = source.sample(used, 2)
            if not (Tag.objects.filter(name=name).exists() and Tag.objects.filter(name=into).exists()):
                continue
            merge_in_taggit([name], into)
            host.merge(name, into)
            used.remove(name)
            n_merges += 1
    differences = 0
    for item, post in posts.items():
        theirs, ours = sorted(post.tags.names()), host.names(item)
        if theirs != ours:
            differences += 1
            print(f"post {item}: taggit {theirs}, the host {ours}")
    counted = {tag.name: tag.taggit_taggeditem_items.count() for tag in Tag.objects.all()}
    counted = {name: number for name, number in counted.items() if number}
    if counted != host.popular():
        differences += 1
        print(f"counts: taggit {counted}, the host {host.popular()}")
    print(f"compared after {n_merges} merges, {differences} differences")
    return 1 if differences or not n_merges else 0


sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
