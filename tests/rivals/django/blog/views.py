"""A post and its tags, by taggit's own serializer."""

from rest_framework import generics, serializers
from taggit.serializers import TaggitSerializer, TagListSerializerField

from blog.models import Post


class PostSerializer(TaggitSerializer, serializers.ModelSerializer):
    tags = TagListSerializerField()

    class Meta:
        model = Post
        fields = ("id", "title", "tags")


class PostTags(generics.RetrieveAPIView):
    queryset = Post.objects.all()
    serializer_class = PostSerializer
