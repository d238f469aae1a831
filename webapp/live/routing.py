"""Addresses of the sockets. Read by ``webapp.asgi``."""

from __future__ import annotations

from django.urls import path

from webapp.live.consumers import ProjectConsumer, RunConsumer

websocket_urlpatterns = [
    path("ws/runs/<hexid:run_id>", RunConsumer.as_asgi()),
    path("ws/projects/<hexid:project_id>", ProjectConsumer.as_asgi()),
]
