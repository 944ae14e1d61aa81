"""What is commented and tagged."""

from django.db import models
from taggit.managers import TaggableManager


class Post(models.Model):
    title = models.CharField(max_length=200)
    tags = TaggableManager()

    def get_absolute_url(self):
        return f"/posts/{self.pk}/"
