"""Writes posts with comments and tags, and a user to write more, whose token it prints."""

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone
from django_comments_xtd.models import XtdComment
from rest_framework.authtoken.models import Token

from blog.models import Post

# About as long as the comments that the host has.
BODY = (
    "That is **comment {number}**, and it says what comments say: the second paragraph is *not* "
    "what the [documentation](https://example.org/docs?page={number}) promises.\n\n"
    "> It says so itself.\n\nCould `retries_max` be {number} there?"
)


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("posts", type=int)
        parser.add_argument("comments_of_a_post", type=int)

    @transaction.atomic
    def handle(self, *args, posts, comments_of_a_post, **options):
        users = [
            get_user_model().objects.create_user(
                f"user{number}", f"user{number}@example.org", first_name="User", last_name=str(number)
            )
            for number in range(comments_of_a_post)
        ]
        content_type = ContentType.objects.get_for_model(Post)
        for number in range(1, posts + 1):
            post = Post.objects.create(title=f"Post {number}")
            post.tags.add(f"tag {number % 50}", f"tag {number % 7}")
            # By one user each: each new comment is compared with all of its author on the post.
            for comment, user in enumerate(users, start=1):
                XtdComment.objects.create(
                    content_type=content_type,
                    object_pk=str(post.pk),
                    site_id=1,
                    user=user,
                    user_name=user.get_full_name(),
                    user_email=user.email,
                    comment=BODY.format(number=number * 100 + comment),
                    submit_date=timezone.now(),
                )
        writer = get_user_model().objects.create_user(
            "writer", "writer@example.org", first_name="Wendy", last_name="Writer"
        )
        print(Token.objects.create(user=writer).key)
