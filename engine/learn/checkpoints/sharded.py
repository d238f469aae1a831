"""Checkpoints that several processes write together, and that any number of processes reads.

Called by the training loop in place of :class:`engine.learn.checkpoints.checkpoint.CheckpointFolder`. Each process
writes the parts of tensors that it holds into a safetensors file of its own; what all hold alike is written by rank
0. The manifest, JSON like everything that is no tensor, says for every tensor its whole shape and, for each part, the
file, the offset and the shape. So a process of a world of another size reads exactly the rows that it needs, from
whichever files they lie in. No pickle: PyTorch's own distributed checkpoints keep their index in one.

The states of the random generators differ between processes: they are named ``random.<generator>@<rank>``.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.artifacts import canonical_json, hash_file
from engine.compute.world import World
from engine.learn.checkpoints.checkpoint import MANIFEST, STATE, Checkpoint, CheckpointFolder

FORMAT = "deepseek.checkpoint.sharded/1"


class ShardedFolder(CheckpointFolder):
    """The checkpoints of a training by the processes of a world; those of a single process are read and written too.

    Parameters
    ----------
    folder
        Seen by all processes.
    """

    def __init__(self, folder: Path, every_steps: int = 0, keep: int = 2, world: World | None = None) -> None:
        super().__init__(folder, every_steps, keep)
        self._world = world or World()

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; every process calls it with its own parts."""
        world = self._world
        if world.is_single:
            super().save(checkpoint)
            return
        started = time.monotonic()
        temporary = self.folder / f".step-{checkpoint.step:012d}"
        if world.is_main:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
        world.barrier()
        if world.spans_machines:
            for rank, part in enumerate(_gathered(checkpoint, world)):
                _write_part(temporary, part, World(rank, world.size))
        else:
            _write_part(temporary, checkpoint, world)
        world.barrier()
        if world.is_main:
            (temporary / STATE).write_bytes(canonical_json(checkpoint.state))
            self._publish(temporary, _manifest(temporary, checkpoint.step, world.size))
        self._took_s = time.monotonic() - started

    def load(self) -> Checkpoint | None:
        """The newest complete checkpoint: rank 0 checks its hashes and says which one it is."""
        world = self._world
        if world.is_single:
            return super().load()
        found = super().load() if world.is_main else None
        (step,) = world.lead(-1 if found is None else found.step)
        if world.spans_machines and step >= 0:
            return _spread(found, step, world)
        if found is None and step >= 0:
            return self._read(self.folder / f"step-{step:012d}")
        return found

    def _read(self, place: Path) -> Checkpoint | None:
        try:
            manifest = json.loads((place / MANIFEST).read_bytes())
            if manifest["format"] != FORMAT:
                return super()._read(place)
            for name, entry in manifest["files"].items() if self._world.is_main else ():
                if hash_file(place / name) != entry["sha256"]:
                    return None
            state = json.loads((place / STATE).read_bytes())
            return Checkpoint(int(manifest["step"]), Pieces(place, manifest["tensors"]), state)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            return None


class Pieces(Mapping[str, Tensor]):
    """The tensors of a sharded checkpoint, read when they are asked for.

    Parameters
    ----------
    tensors
        Name -> ``{"shape", "dtype", "pieces": [{"file", "offset", "shape"}]}``.
    """

    def __init__(self, place: Path, tensors: Mapping[str, Any]) -> None:
        self._place, self._tensors = place, tensors

    def __getitem__(self, name: str) -> Tensor:
        return self.part(name, [0] * len(self.shape(name)), self.shape(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def shape(self, name: str) -> list[int]:
        """Whole shape of a tensor."""
        return list(self._tensors[name]["shape"])

    def part(self, name: str, offset: Sequence[int], shape: Sequence[int]) -> Tensor:
        """A block of a tensor, put together from the pieces that it overlaps.

        Parameters
        ----------
        offset, shape
            Where the block begins and its sides, one number for each dimension.
        """
        entry = self._tensors[name]
        made = torch.empty(tuple(shape), dtype=getattr(torch, entry["dtype"]))
        for piece in entry["pieces"]:
            begin = [max(a, b) for a, b in zip(offset, piece["offset"], strict=True)]
            ends = zip(offset, shape, piece["offset"], piece["shape"], strict=True)
            end = [min(a + n, b + m) for a, n, b, m in ends]
            if any(first >= last for first, last in zip(begin, end, strict=True)):
                continue
            with safe_open(self._place / piece["file"], "pt") as file:
                key = name.split("@")[0]
                if not shape:
                    return torch.as_tensor(file.get_tensor(key))
                made[_slices(begin, end, offset)] = file.get_slice(key)[_slices(begin, end, piece["offset"])]
        return made


def _slices(begin: Sequence[int], end: Sequence[int], offset: Sequence[int]) -> tuple[slice, ...]:
    """From ``begin`` to ``end`` of the whole, seen from a block at ``offset``."""
    return tuple(slice(i - a, j - a) for i, j, a in zip(begin, end, offset, strict=True))


def _gathered(checkpoint: Checkpoint, world: World) -> list[Checkpoint]:
    """On rank 0 the parts of all processes, where they share no folder; nothing on the others."""
    parts: list[dict[str, Tensor]] = [{} for _ in range(world.size)]
    offsets: list[dict[str, Any]] = [{} for _ in range(world.size)]
    for name in sorted(checkpoint.tensors):
        tensor = checkpoint.tensors[name]
        if name in checkpoint.offsets:
            whole = checkpoint.offsets[name][0]
            rows = -(-whole[0] // world.size)
            padded = torch.zeros((rows, *whole[1:]), dtype=tensor.dtype)
            padded[: len(tensor)] = tensor
            for rank, part in enumerate(world.gather(padded)):
                begin = min(rank * rows, whole[0])
                parts[rank][name] = part[: min(rows, whole[0] - begin)].contiguous()
                offsets[rank][name] = (whole, (begin, *(0 for _ in whole[1:])))
        elif name.startswith("random."):
            for rank, part in enumerate(world.gather(tensor)):
                parts[rank][name] = part
        else:
            parts[0][name] = tensor
    if not world.is_main:
        return []
    return [
        Checkpoint(checkpoint.step, tensors, checkpoint.state, places)
        for tensors, places in zip(parts, offsets, strict=True)
    ]


def _spread(found: Checkpoint | None, step: int, world: World) -> Checkpoint:
    """What rank 0 read, on every process: they share no folder."""
    told: dict[str, Any] = {}
    if found is not None:
        entries = [
            (name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape))
            for name, tensor in found.tensors.items()
        ]
        told = {"state": found.state, "tensors": entries}
    told = json.loads(_text(json.dumps(told), world))
    tensors: dict[str, Tensor] = {}
    for name, dtype, shape in told["tensors"]:
        tensor = found.tensors[name] if found is not None else torch.empty(shape, dtype=getattr(torch, dtype))
        tensors[name] = tensor.contiguous()
        if tensor.numel():
            world.copy_from_main(tensors[name])
    return Checkpoint(step, tensors, told["state"])


def _text(text: str, world: World) -> str:
    """A text of rank 0 on every process."""
    content = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
    (length,) = world.lead(len(content))
    if not world.is_main:
        content = torch.empty(length, dtype=torch.uint8)
    world.copy_from_main(content)
    return bytes(content.tolist()).decode()


def _write_part(temporary: Path, checkpoint: Checkpoint, world: World) -> None:
    """Write the file of this process, and a note of what is in it."""
    mine = {
        name: tensor
        for name, tensor in checkpoint.tensors.items()
        if world.is_main or name in checkpoint.offsets or name.startswith("random.")
    }
    mine = {name: tensor for name, tensor in mine.items() if tensor.numel() or name not in checkpoint.offsets}
    file = f"tensors-{world.rank:05d}.safetensors"
    save_file(mine, temporary / file)
    table = {}
    for name, tensor in mine.items():
        whole, offset = checkpoint.offsets.get(name, (tuple(tensor.shape), (0,) * tensor.ndim))
        key = f"{name}@{world.rank}" if name.startswith("random.") else name
        dtype = str(tensor.dtype).removeprefix("torch.")
        table[key] = {"shape": list(whole), "dtype": dtype, "offset": list(offset), "part": list(tensor.shape)}
    entry = {"sha256": hash_file(temporary / file), "size": (temporary / file).stat().st_size}
    note = {"file": file, "entry": entry, "tensors": table}
    (temporary / f"note-{world.rank:05d}.json").write_bytes(canonical_json(note))


def _manifest(temporary: Path, step: int, size: int) -> dict[str, Any]:
    """All notes as one index; the notes go away."""
    files: dict[str, Any] = {}
    tensors: dict[str, dict[str, Any]] = {}
    for rank in range(size):
        path = temporary / f"note-{rank:05d}.json"
        note = json.loads(path.read_bytes())
        files[note["file"]] = note["entry"]
        for name, entry in note["tensors"].items():
            known = tensors.setdefault(name, {"shape": entry["shape"], "dtype": entry["dtype"], "pieces": []})
            known["pieces"].append({"file": note["file"], "offset": entry["offset"], "shape": entry["part"]})
        path.unlink()
    for name, entry in tensors.items():
        held = sum(math.prod(piece["shape"]) for piece in entry["pieces"])
        assert held == math.prod(entry["shape"]), f"{name}: {held} numbers of {entry['shape']}"
    files[STATE] = {"sha256": hash_file(temporary / STATE), "size": (temporary / STATE).stat().st_size}
    return {"format": FORMAT, "step": step, "world": size, "files": files, "tensors": tensors}
