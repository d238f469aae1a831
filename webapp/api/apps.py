"""Registers the app. Called by Django."""

from django.apps import AppConfig


class Api(AppConfig):
    name = "webapp.api"
    label = "api"
