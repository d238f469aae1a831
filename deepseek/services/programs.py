"""The command lines of the processes, and the environment that they share.

Called by ``up``, ``worker`` and ``backup``. Programs of the web application are started with ``python -m``, so that a
source tree and an installed package work alike.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence

from deepseek.services.child import Spec
from deepseek.services.home import Home
from deepseek.services.redis import RedisProgram, write_configuration

QUEUES = ("cpu", "gpu", "control")

#: Sockets carry small messages (no deflate: it costs 300 KB a connection); a slow reader is noticed in 40 s.
_UVICORN = (
    "--loop=auto",
    "--http=httptools",
    "--ws=websockets-sansio",
    "--ws-max-size=65536",
    "--ws-per-message-deflate=false",
    "--ws-ping-interval=20",
    "--ws-ping-timeout=20",
    "--limit-concurrency=12000",
    "--timeout-graceful-shutdown=3",
    "--lifespan=off",
    "--no-access-log",
    "--no-server-header",
    "--log-level=warning",
)


def environment(home: Home, host: str | None = None, port: int | None = None) -> dict[str, str]:
    """The environment of every process of this home: ours, plus where things are.

    What a person has set (``DATABASE_URL``, ``REDIS_URL``, ...) wins.
    """
    shared = {
        "DEEPSEEK_HOME": str(home.root),
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "PYTHONUNBUFFERED": "1",
        "REDIS_URL": f"unix://{home.redis_socket}",
        **os.environ,
    }
    shared["DEEPSEEK_HOME"] = str(home.root)
    if host is not None and port is not None:
        shared |= {"HOST": host, "PORT": str(port)}
    return shared


def uses_own_redis(variables: Mapping[str, str]) -> bool:
    """False when ``REDIS_URL`` points elsewhere."""
    return not variables.get("REDIS_URL")


def redis(program: RedisProgram, home: Home, variables: Mapping[str, str]) -> Spec:
    """The Redis of this home; it gets SIGTERM when we die, so that it writes its file to the end."""
    command = [str(program.path), str(write_configuration(program, home))]
    return Spec("redis", command, home.logs / "redis.log", variables, death_signal=signal.SIGTERM, stop_s=5)


def web(home: Home, variables: Mapping[str, str], host: str, port: int) -> Spec:
    """The web server."""
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "webapp.asgi:application",
        f"--host={host}",
        f"--port={port}",
        *_UVICORN,
    ]
    return Spec("web", command, home.logs / "web.log", variables, stop_s=8)


def worker(home: Home, variables: Mapping[str, str], queues: Sequence[str], name: str = "worker") -> Spec:
    """A Celery worker for some queues. SIGTERM lets runs write a checkpoint before they stop."""
    command = [
        sys.executable,
        "-m",
        "celery",
        "--app=webapp.celery",
        "worker",
        f"--queues={','.join(queues)}",
        f"--hostname={name}@%h",
        "--loglevel=INFO",
        "--without-gossip",
        "--without-mingle",
    ]
    return Spec(name, command, home.logs / f"{name}.log", variables, stop_s=20)


def django(*arguments: str) -> list[str]:
    """A management command of the web application."""
    return [sys.executable, "-m", "django", *arguments]


def catalog() -> list[str]:
    """Build the catalog of blocks where it is missing or older than the sources; ends at once where it is not."""
    return [sys.executable, "-c", "from engine.api import load_catalog; load_catalog()"]
