"""Registers the app. Called by Django."""

from django.apps import AppConfig


class Pipelines(AppConfig):
    name = "webapp.pipelines"
    label = "pipelines"
