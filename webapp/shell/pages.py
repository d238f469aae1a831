"""The pages: a server-rendered frame and the island in it, which gets its ids by ``data-props``.

Every page looks its objects up through :mod:`webapp.workspaces.access`, so foreign ones are 404.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.db import models as orm
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from webapp.accounts.models import User
from webapp.api.errors import ApiError
from webapp.artifacts.models import DataFile, RegisteredModel
from webapp.pipelines.models import Pipeline
from webapp.runs.models import Run
from webapp.shell.context import language_tag
from webapp.workspaces.access import Access, find_with_access, person, projects_of
from webapp.workspaces.models import Project, Workspace

LAST_PROJECT = "last_project"


def _open(model: type[orm.Model], user: User, pk: uuid.UUID) -> tuple[Any, Access]:
    try:
        return find_with_access(model, user, pk)
    except ApiError as error:
        raise Http404 from error


def user_props(user: User) -> dict[str, Any]:
    """The person, as every island gets it."""
    return {
        "id": user.pk.hex,
        "name": user.name,
        "email": user.email,
        "language": language_tag(),
        "theme": user.theme,
    }


def island(
    request: HttpRequest,
    page: str,
    title: str,
    *,
    access: Access | None = None,
    project: Project | None = None,
    current: str = "",
    **props: Any,
) -> HttpResponse:
    """A page with an island: ``current`` is the item of the navigation that it belongs to."""
    body = {
        "user": user_props(person(request)),
        "workspace": access
        and {
            "id": access.workspace.pk.hex,
            "name": access.workspace.name,
            "role": access.role,
            "canRunCode": access.can_run_code,
        },
        "project": project and {"id": project.pk.hex, "name": project.name},
        "csrf": get_token(request),
        **props,
    }
    context = {
        "page": page,
        "title": title,
        "props": json.dumps(body),
        "workspace": access and access.workspace,
        "project": project,
        "navigation": _navigation(access, project, current or page),
    }
    return render(request, "page.html", context)


def _navigation(access: Access | None, project: Project | None, current: str) -> list[dict[str, Any]]:
    items: list[tuple[str, str, str]] = []
    if project is not None:
        id_ = project.pk.hex
        items += [
            ("pipelines", _("Pipelines"), reverse("pipelines", args=[id_])),
            ("runs", _("Runs"), reverse("runs", args=[id_])),
            ("models", _("Models"), reverse("models", args=[id_])),
            ("data", _("Data"), reverse("data", args=[id_])),
        ]
    if access is not None:
        id_ = access.workspace.pk.hex
        if project is None:
            items.append(("projects", _("Projects"), reverse("projects", args=[id_])))
        items.append(("queue", _("Queue"), reverse("queue", args=[id_])))
        items.append(("members", _("Members"), reverse("members", args=[id_])))
    return [{"text": text, "url": url, "is_current": name == current} for name, text, url in items]


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Go on where the person was; else the newest project; else the account page.

    A project with one pipeline opens on its canvas: a newcomer finds the sample there, ready to run.
    """
    projects = projects_of(person(request))
    last = request.session.get(LAST_PROJECT)
    found = (projects.filter(pk=last).first() if last else None) or projects.order_by("-created").first()
    if found is None:
        return redirect("account")
    few = Pipeline.objects.filter(project=found).values_list("pk", flat=True)[:2]
    if len(few) == 1:
        return redirect("builder", project_id=found.pk, pipeline_id=few[0])
    return redirect("pipelines", project_id=found.pk)


@never_cache
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    return island(request, "account", _("Account"))


@never_cache
@require_safe
def projects(request: HttpRequest, workspace_id: uuid.UUID) -> HttpResponse:
    workspace, access = _open(Workspace, person(request), workspace_id)
    return island(request, "projects", workspace.name, access=access)


@never_cache
@require_safe
def members(request: HttpRequest, workspace_id: uuid.UUID) -> HttpResponse:
    _workspace, access = _open(Workspace, person(request), workspace_id)
    return island(request, "members", _("Members"), access=access)


@never_cache
@require_safe
def queue(request: HttpRequest, workspace_id: uuid.UUID) -> HttpResponse:
    _workspace, access = _open(Workspace, person(request), workspace_id)
    return island(request, "queue", _("Queue"), access=access)


@require_safe
def project(request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
    found, _access = _open(Project, person(request), project_id)
    return redirect("pipelines", project_id=found.pk)


def _project_page(request: HttpRequest, project_id: uuid.UUID, page: str, title: str, **props: Any) -> HttpResponse:
    found, access = _open(Project, person(request), project_id)
    if request.session.get(LAST_PROJECT) != found.pk.hex:
        request.session[LAST_PROJECT] = found.pk.hex
    return island(request, page, title, access=access, project=found, **props)


def _object_page(
    request: HttpRequest, project_id: uuid.UUID, model: type[orm.Model], pk: uuid.UUID, page: str, **props: Any
) -> HttpResponse:
    found, _access = _open(model, person(request), pk)
    if found.project_id != project_id:
        raise Http404
    return _project_page(request, project_id, page, found.name, **props)


@never_cache
@require_safe
def pipelines(request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
    return _project_page(request, project_id, "pipelines", _("Pipelines"))


@never_cache
@require_safe
def builder(request: HttpRequest, project_id: uuid.UUID, pipeline_id: uuid.UUID) -> HttpResponse:
    return _object_page(
        request, project_id, Pipeline, pipeline_id, "builder", current="pipelines", pipelineId=pipeline_id.hex
    )


@never_cache
@require_safe
def runs(request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
    return _project_page(request, project_id, "runs", _("Runs"))


@never_cache
@require_safe
def run(request: HttpRequest, project_id: uuid.UUID, run_id: uuid.UUID) -> HttpResponse:
    return _object_page(request, project_id, Run, run_id, "run", current="runs", runId=run_id.hex)


@never_cache
@require_safe
def compare(request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
    chosen = [run for run in request.GET.get("runs", "").split(",") if run]
    return _project_page(request, project_id, "compare", _("Compare runs"), current="runs", runIds=chosen)


@never_cache
@require_safe
def models(request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
    return _project_page(request, project_id, "models", _("Models"))


@never_cache
@require_safe
def model(request: HttpRequest, project_id: uuid.UUID, model_id: uuid.UUID) -> HttpResponse:
    return _object_page(request, project_id, RegisteredModel, model_id, "model", current="models", modelId=model_id.hex)


@never_cache
@require_safe
def data(request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
    return _project_page(request, project_id, "data", _("Data"))


@never_cache
@require_safe
def datafile(request: HttpRequest, project_id: uuid.UUID, data_id: uuid.UUID) -> HttpResponse:
    return _object_page(request, project_id, DataFile, data_id, "datafile", current="data", dataId=data_id.hex)


@never_cache
@require_safe
def start(request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
    return _project_page(request, project_id, "start", _("Start with my data"), current="data")
