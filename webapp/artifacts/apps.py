"""Registers the app. Called by Django."""

from django.apps import AppConfig


class Artifacts(AppConfig):
    name = "webapp.artifacts"
    label = "artifacts"
