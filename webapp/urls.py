"""Every path of the server. What answers without a login is listed in :mod:`webapp.public`, nowhere else."""

from __future__ import annotations

from django.urls import path

from webapp.api.routes import api
from webapp.shell import entry, health, pages

handler400 = "webapp.shell.errors.bad_request"
handler403 = "webapp.shell.errors.forbidden"
handler404 = "webapp.shell.errors.not_found"
handler500 = "webapp.shell.errors.server_error"

urlpatterns = [
    path("healthz", health.healthz),
    path("login", entry.log_in, name="login"),
    path("logout", entry.log_out, name="logout"),
    path("link/<str:token>", entry.link, name="link"),
    path("invite/<str:token>", entry.invite, name="invite"),
    path("language", entry.language, name="language"),
    path("api/v1/", api.urls),
    path("", pages.home, name="home"),
    path("account", pages.account, name="account"),
    path("w/<hexid:workspace_id>/", pages.projects, name="projects"),
    path("w/<hexid:workspace_id>/members", pages.members, name="members"),
    path("w/<hexid:workspace_id>/queue", pages.queue, name="queue"),
    path("p/<hexid:project_id>/", pages.project, name="project"),
    path("p/<hexid:project_id>/pipelines", pages.pipelines, name="pipelines"),
    path("p/<hexid:project_id>/pipelines/<hexid:pipeline_id>", pages.builder, name="builder"),
    path("p/<hexid:project_id>/runs", pages.runs, name="runs"),
    path("p/<hexid:project_id>/runs/<hexid:run_id>", pages.run, name="run"),
    path("p/<hexid:project_id>/compare", pages.compare, name="compare"),
    path("p/<hexid:project_id>/models", pages.models, name="models"),
    path("p/<hexid:project_id>/models/<hexid:model_id>", pages.model, name="model"),
    path("p/<hexid:project_id>/data", pages.data, name="data"),
    path("p/<hexid:project_id>/data/<hexid:data_id>", pages.datafile, name="datafile"),
    path("p/<hexid:project_id>/start", pages.start, name="start"),
]
