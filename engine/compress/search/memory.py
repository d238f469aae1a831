"""What a search has done, on disk: a search that was stopped goes on from here.

Called by the search. One folder: ``state.json``, and for each candidate that was kept its ONNX file and, where it was
pruned, its weights. A file is whole or absent; a state of another search is forgotten.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.compress.search.front import Point
from engine.compress.search.strategy import Recipe, Tried

STATE = "state.json"


class Memory:
    """The folder of one search.

    Parameters
    ----------
    folder
        Survives a crash of the run.
    identity
        What must be equal for an earlier state to be gone on with: JSON.

    Attributes
    ----------
    elapsed_s
        Time that earlier attempts took.
    given
        Points of the model as it was given: eager, and as an ONNX file.
    tried
        Recipes with what came of them.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self._identity = json.loads(json.dumps(identity))
        self.elapsed_s = 0.0
        self.given: list[Point] = []
        self.tried: list[Tried] = []
        self._restore()

    @property
    def points(self) -> list[Point]:
        """All of them, in the order in which they were made."""
        return [*self.given, *(one.point for one in self.tried)]

    def save(self, elapsed_s: float) -> None:
        """Write the state."""
        self.elapsed_s = elapsed_s
        tried = [{"recipe": asdict(one.recipe), "point": one.point.to_json()} for one in self.tried]
        state = {
            "identity": self._identity,
            "elapsed_s": elapsed_s,
            "given": [point.to_json() for point in self.given],
            "tried": tried,
        }
        self._write(self.folder / STATE, json.dumps(state).encode())

    def keep(self, name: str, content: bytes) -> None:
        """Keep the ONNX file of a candidate."""
        self._write(self._place(name, ".onnx"), content)

    def content(self, name: str) -> bytes:
        """The ONNX file of a candidate."""
        return self._place(name, ".onnx").read_bytes()

    def quick(self) -> bytes | None:
        """The fastest ONNX file of the whole network that is good enough; None before there is one."""
        good = [one.point for one in self.tried if one.point.status == "kept" and not one.recipe.ratio]
        return self.content(min(good, key=lambda point: point.latency_ms).name) if good else None

    def keep_weights(self, name: str, weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
        """Keep a network that was pruned."""
        part = self._place(name, ".part")
        save_file({key: value.detach().cpu().clone().contiguous() for key, value in weights.items()}, part)
        self._write(self._place(name, ".json"), json.dumps(dict(config)).encode())
        part.replace(self._place(name, ".safetensors"))

    def weights(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Weights and configuration of a network that was pruned; None where there is none of that name."""
        place = self._place(name, ".safetensors")
        if not place.exists():
            return None
        config: dict[str, Any] = json.loads(self._place(name, ".json").read_bytes())
        return load_file(place), config

    def config(self, name: str) -> dict[str, Any] | None:
        """The configuration of the network of a candidate that was pruned; None for one that was not."""
        place = self._place(name.partition(" + ")[0], ".json")
        return dict(json.loads(place.read_bytes())) if place.exists() else None

    def _restore(self) -> None:
        place = self.folder / STATE
        try:
            state = json.loads(place.read_bytes())
            if state["identity"] != self._identity:
                raise ValueError("another search")
            given = [Point.of_json(point) for point in state["given"]]
            tried = [Tried(Recipe(**one["recipe"]), Point.of_json(one["point"])) for one in state["tried"]]
        except (OSError, ValueError, KeyError, TypeError):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            return
        self.elapsed_s, self.given, self.tried = float(state["elapsed_s"]), given, tried

    def _place(self, name: str, ending: str) -> Path:
        plain = "".join(letter if letter.isalnum() else "_" for letter in name)
        return self.folder / f"{plain}{ending}"

    @staticmethod
    def _write(place: Path, content: bytes) -> None:
        part = place.with_name(place.name + ".new")
        part.write_bytes(content)
        part.replace(place)
