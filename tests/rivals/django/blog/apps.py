"""The application, which trusts comments that come with a token."""

from django.apps import AppConfig


class BlogConfig(AppConfig):
    name = "blog"

    def ready(self):
        from django_comments_xtd.signals import should_request_be_authorized

        should_request_be_authorized.connect(has_token, dispatch_uid="blog.has_token")


def has_token(sender, comment, request, **kwargs):
    """As the documentation of the signal asks for clients of the API: a token stands for the form's
    hidden fields."""
    return bool(request.user and request.auth)
