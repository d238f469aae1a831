"""Registers the app and the start-up checks. Called by Django."""

import importlib

from django.apps import AppConfig


class Shell(AppConfig):
    name = "webapp.shell"
    label = "shell"

    def ready(self) -> None:
        """Register the checks."""
        importlib.import_module("webapp.checks")
