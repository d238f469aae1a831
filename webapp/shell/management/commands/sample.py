"""``django sample``: the first person, a workspace with a pipeline that is ready to run, and a link that logs in once.

Called by ``deepseek up`` at every start. What is there stays as it is; only the link is new each time.
"""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from webapp.accounts.models import User
from webapp.accounts.secrets import create_link
from webapp.pipelines.models import Pipeline
from webapp.workspaces.changes import create_workspace
from webapp.workspaces.models import Workspace

FIRST_EMAIL = "me@localhost"
SAMPLE = "01-digits"


class Command(BaseCommand):
    help = "Prepare the first account with a sample pipeline and print a link that logs in once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--base-url", default=f"http://localhost:{settings.PORT}", help="where browsers reach it")

    def handle(self, *args: Any, base_url: str, **options: Any) -> None:
        with transaction.atomic():
            user = User.objects.filter(is_active=True).order_by("created").first() or _first_person()
            link = reverse("link", args=[create_link(user)])
        self.stdout.write(f"link: {base_url.rstrip('/')}{link}")


def _first_person() -> User:
    user = User.objects.create_superuser(FIRST_EMAIL, name="Me")
    workspace: Workspace = create_workspace(user, "My workspace")
    project = workspace.projects.get()
    path = settings.EXAMPLES / SAMPLE / "pipeline.json"
    if path.exists():
        document = json.loads(path.read_text())
        Pipeline.objects.create(project=project, name=document["name"], document=document, updated=timezone.now())
    return user
