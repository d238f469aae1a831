"""Registers the app. Called by Django."""

from django.apps import AppConfig


class Workspaces(AppConfig):
    name = "webapp.workspaces"
    label = "workspaces"
