"""Comments with their API, and posts with their tags."""

from blog.views import PostTags
from django.urls import include, path

urlpatterns = [
    path("comments/", include("django_comments_xtd.urls")),
    path("posts/<int:pk>/", PostTags.as_view(), name="post"),
]
