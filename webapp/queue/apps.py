"""Django's name for this app."""

from django.apps import AppConfig


class QueueConfig(AppConfig):
    name = "webapp.queue"
    label = "queue"
