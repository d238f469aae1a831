"""Registers the app. Called by Django."""

from django.apps import AppConfig


class Shell(AppConfig):
    name = "webapp.shell"
    label = "shell"
