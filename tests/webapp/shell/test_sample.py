"""The first start: an account, a pipeline that is ready, and a link."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from webapp.accounts.models import User
from webapp.pipelines.models import Pipeline
from webapp.workspaces.models import Membership

pytestmark = pytest.mark.django_db


def sample(*options: str) -> str:
    out = StringIO()
    call_command("sample", *options, stdout=out)
    return out.getvalue()


def test_it_makes_everything_and_prints_a_link_that_works() -> None:
    text = sample("--base-url", "http://localhost:9000/")

    assert text.startswith("link: http://localhost:9000/link/")
    browser = Client(HTTP_HOST="localhost")
    assert browser.get(text.strip().partition("9000")[2]).status_code == 302
    home = browser.get("/")["Location"]
    pipeline = Pipeline.objects.get()
    assert home == f"/p/{pipeline.project_id.hex}/pipelines/{pipeline.pk.hex}"
    assert set(pipeline.document["blocks"]) == {"data", "split", "model", "train", "evaluate"}
    problems = browser.get(f"/api/v1/pipelines/{pipeline.pk.hex}").json()["problems"]
    assert [p for p in problems if p["severity"] == "error"] == []


def test_its_owner_may_run_code() -> None:
    sample()

    assert Membership.objects.values_list("role", "can_run_code").get() == ("owner", True)


def test_a_second_time_only_the_link_is_new() -> None:
    first, second = sample(), sample()

    assert first != second
    assert (User.objects.count(), Pipeline.objects.count()) == (1, 1)


def test_what_was_deleted_stays_deleted() -> None:
    sample()
    Pipeline.objects.all().delete()
    sample()

    assert Pipeline.objects.count() == 0
