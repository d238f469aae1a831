"""The server's entry point: ``uvicorn webapp.asgi:application``.

HTTP goes to Django, where ``DenyByDefault`` stands before every view; WebSockets go through :mod:`webapp.sockets`.
"""

from __future__ import annotations

import os
from typing import cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from webapp.live.routing import websocket_urlpatterns  # noqa: E402  (Django must be set up first)
from webapp.sockets import guarded  # noqa: E402  (as above)
from webapp.uploads import App, LimitBodies  # noqa: E402  (as above)

application = ProtocolTypeRouter(
    {"http": LimitBodies(cast(App, django_application)), "websocket": guarded(websocket_urlpatterns)}
)
