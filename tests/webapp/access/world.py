"""One of everything in a workspace, and the addresses of all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from django.utils import timezone

from tests.webapp.runs_support import make_run
from webapp.artifacts import store
from webapp.artifacts.models import DataFile, Job, RegisteredModel
from webapp.bridge import Document
from webapp.pipelines.changes import create_pipeline, name_version
from webapp.workspaces.changes import invite

PLACE = re.compile(r"\{(\w+)\}")


class World:
    """Objects of one workspace, by the name that a place in a path has."""

    def __init__(self, people: Any, folder: Path) -> None:
        workspace, project = people.workspace, people.project
        content = folder / "content"
        content.write_text("a,b\n1,2\n")
        upload = store.put(workspace.pk, "file", {"content": content}, {"filename": "t.csv"})
        spec = folder / "model.json"
        spec.write_text(json.dumps({"format": "deepseek.model/1", "task": "classification"}))
        model = store.put(workspace.pk, "model", {"model.json": spec}, {})
        self.pipeline = create_pipeline(project, "Mine", Document())
        name_version(self.pipeline, "First", people.owner)
        self.run = make_run(project)
        self.job = Job.objects.create(
            workspace=workspace, kind="inspect", status="done", finished=timezone.now(), input={}
        )
        self.data = DataFile.objects.create(
            project=project,
            name="t.csv",
            filename="t.csv",
            size=8,
            digest=upload.digest,
            kind="table",
            status="ready",
            inspection={"columns": [{"name": "b"}]},
        )
        self.model = RegisteredModel.objects.create(project=project, name="M", digest=model.digest)
        self.invitation = invite(workspace, people.owner, "viewer")[0]
        self.places = {
            "workspace_id": workspace.pk.hex,
            "workspace": workspace.pk.hex,
            "user_id": people.viewer.pk.hex,
            "project_id": project.pk.hex,
            "project": project.pk.hex,
            "pipeline_id": self.pipeline.pk.hex,
            "run_id": self.run.pk.hex,
            "data_id": self.data.pk.hex,
            "model_id": self.model.pk.hex,
            "job_id": self.job.pk.hex,
            "invitation_id": self.invitation.pk.hex,
            "digest": upload.digest,
            "name": "content",
        }

    def address(self, template: str) -> str:
        """A path with the ids of this world in its places."""
        places = {**self.places, "id_": self.places["pipeline_id" if "/pipelines/" in template else "run_id"]}
        return PLACE.sub(lambda match: str(places[match[1]]), template)
