"""A workspace of its own with one of everything, so that tests can look at every page.

Used by the fixtures of this folder. It knows the REST API, never the inside of the studio.
"""

from __future__ import annotations

import io
import time
import uuid
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from tests.studio import Api, digits

POSITIONS = {"data": [0, 0], "split": [320, 0], "model": [320, 420], "train": [640, 0], "evaluate": [960, 0]}
TABLE, ZIP = "鸢尾花.csv", "形状.zip"


class World:
    """What stands in the workspace: ids, and the address of every page."""

    def __init__(self, api: Api) -> None:
        self.studio, self.api = api.studio, api
        self.workspace = self.call("POST", "/workspaces", name="实验室")["id"]
        self.project = self.call("GET", f"/workspaces/{self.workspace}/projects")["items"][0]["id"]
        self.call("PATCH", f"/projects/{self.project}", name="第一个项目")
        self.data = self.upload(TABLE, table())["id"]
        self.images = self.upload(ZIP, image_folders())["id"]
        document = named(digits(3), "手写数字")
        document["layout"]["positions"] = POSITIONS
        self.pipeline = self.new_pipeline(document)
        self.run = self.call("POST", f"/pipelines/{self.pipeline}/runs", name="第一次")["id"]
        document["blocks"]["split"]["params"] = {"validation": 0.2}
        document["wires"].append(["split.validation", "train.validation"])
        self.second = self.api_run(document)
        document = named(digits(1), "错误的数据")
        document["blocks"]["data"].update(type="data.table", params={"file": self.file(TABLE)})
        self.failed = self.api_run(document)
        for run, status in ((self.run, "succeeded"), (self.second, "succeeded"), (self.failed, "failed")):
            ended = self.api.wait(run)
            assert ended["status"] == status, ended
        body = {"name": "数字模型", "run": self.run, "block": "train", "port": "model"}
        self.model = self.call("POST", f"/projects/{self.project}/models", **body)["id"]
        self.call("POST", f"/workspaces/{self.workspace}/invitations", role="viewer", email="guest@localhost")
        self.call("POST", f"/pipelines/{self.pipeline}/versions", name="第一版")
        self.ready(self.data)
        self.ready(self.images)

    def call(self, method: str, path: str, **body: Any) -> Any:
        """The JSON that the API answers."""
        return self.api.call(method, path, **body)

    def api_run(self, document: Mapping[str, Any]) -> str:
        """Submit a run of a document; returns its id."""
        return str(self.call("POST", f"/projects/{self.project}/runs", document=document)["id"])

    def new_pipeline(self, document: Mapping[str, Any], name: str = "手写数字") -> str:
        """A new pipeline in the project; returns its id."""
        return str(self.call("POST", f"/projects/{self.project}/pipelines", name=name, document=document)["id"])

    def file(self, name: str) -> str:
        """The digest of an uploaded file."""
        rows = self.call("GET", f"/projects/{self.project}/data")["items"]
        return next(str(row["digest"]) for row in rows if row["name"] == name)

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """Upload a file."""
        headers = {"X-CSRFToken": str(self.api.props["csrf"]), "Idempotency-Key": uuid.uuid4().hex}
        answer = self.api.client.post(
            f"/api/v1/projects/{self.project}/data",
            files={"file": (name, content)},
            data={"name": name},
            headers=headers,
        )
        assert answer.is_success, answer.text
        return dict(answer.json())

    def ready(self, data: str, timeout_s: float = 60) -> dict[str, Any]:
        """Wait until a file has been looked into."""
        deadline = time.monotonic() + timeout_s
        while (row := self.call("GET", f"/data/{data}"))["status"] == "inspecting":
            assert time.monotonic() < deadline, row
            time.sleep(0.2)
        assert row["status"] == "ready", row
        return dict(row)

    def pages(self) -> dict[str, str]:
        """Every page that needs a login, by its name."""
        project, workspace = f"/p/{self.project}", f"/w/{self.workspace}"
        return {
            "projects": f"{workspace}/",
            "members": f"{workspace}/members",
            "queue": f"{workspace}/queue",
            "account": "/account",
            "pipelines": f"{project}/pipelines",
            "builder": f"{project}/pipelines/{self.pipeline}",
            "runs": f"{project}/runs",
            "run": f"{project}/runs/{self.run}",
            "failed run": f"{project}/runs/{self.failed}",
            "compare": f"{project}/compare?runs={self.run},{self.second}",
            "models": f"{project}/models",
            "model": f"{project}/models/{self.model}",
            "data": f"{project}/data",
            "table": f"{project}/data/{self.data}",
            "images": f"{project}/data/{self.images}",
            "start": f"{project}/start",
            "start with a table": f"{project}/start?data={self.data}",
        }


def named(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The document under a name, its blocks with labels in Chinese: what a person writes is no text of the studio."""
    labels = {"data": "数据", "split": "划分", "model": "网络", "train": "训练", "evaluate": "评估"}
    blocks = {id_: {**block, "label": labels[id_]} for id_, block in document["blocks"].items()}
    return {**document, "name": name, "blocks": blocks}


def table(rows: int = 120, *, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    """Flowers by their size: numbers, a date, gaps, and a class that the numbers tell."""
    generator = np.random.default_rng(0)
    lines = [("编号日期", "花瓣长", "花瓣宽", "颜色", "品种")]
    for number in range(rows):
        kind = number % 3
        length, width = generator.normal([1.5 + 2 * kind, 0.3 + 0.9 * kind], 0.15)
        lines.append(
            (
                f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}",
                f"{length:.2f}" if number % 10 else "",
                f"{width:.2f}",
                ("红", "黄", "")[number % 7 % 3],
                ("山鸢尾", "变色鸢尾", "维吉尼亚鸢尾")[kind],
            )
        )
    return "".join(delimiter.join(line) + "\n" for line in lines).encode(encoding)


def image_folders(*, corrupt: bool = False) -> bytes:
    """A zip of two classes of small images: dark on the left, dark on the right."""
    generator = np.random.default_rng(0)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(40):
            pixels = generator.integers(180, 255, (16, 16, 3), dtype=np.uint8)
            side = "左" if number % 2 == 0 else "右"
            pixels[:, slice(0, 8) if side == "左" else slice(8, 16)] //= 6
            picture = io.BytesIO()
            Image.fromarray(pixels).save(picture, "PNG")
            archive.writestr(f"{side}/{number:02}.png", picture.getvalue())
        if corrupt:
            archive.writestr("左/坏.png", b"\x89PNG\r\n\x1a\nnot a picture")
    return buffer.getvalue()
