"""The execution plan: resolved once a run, written as its first event, and held to while it runs.

Called by the executor (:func:`resolve`) and by blocks that compute (:func:`applied`). Same document, same data and
same plan give the same result; so everything that a machine or a clock would otherwise decide is in the plan.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from engine.compute.backends import backend_of
from engine.compute.devices import check_precision, find_device, random_state_kept, usable_cpus
from engine.compute.profile import read_profile
from engine.errors import UserError
from engine.spec import ExecutionPlan

if TYPE_CHECKING:
    import torch

OPEN = {"device": "auto", "precision": "adaptive", "memory_format": "auto", "compile": "auto"}
"""What a plan is without a wish: fp32, contiguous and not compiled, until a choice was measured to be better."""


def resolve(requested: Mapping[str, Any] | ExecutionPlan | None = None) -> ExecutionPlan:
    """Fill in what was left open, for this machine.

    Parameters
    ----------
    requested
        Any part of a plan. ``device`` may be ``"auto"``; ``threads`` of 0 or left out means every usable CPU. With
        ``choices`` it is a plan to replay; without, they are what was measured on this machine.

    Raises
    ------
    UserError
        When the machine cannot keep the plan, naming the field.

    Examples
    --------
    >>> resolve({"device": "cpu", "threads": 2}).threads
    2
    """
    if isinstance(requested, ExecutionPlan):
        requested = requested.model_dump()
    wanted = OPEN | {key: value for key, value in dict(requested or {}).items() if value is not None}
    wanted["device"] = find_device(str(wanted["device"])).name
    wanted["threads"] = wanted.get("threads") or usable_cpus()
    try:
        plan = ExecutionPlan.model_validate(wanted)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError(
            "The execution plan is not valid: {setting}: {problem}", field=field, setting=field, problem=first["msg"]
        ) from None
    _check(plan)
    if "choices" in wanted:  # a plan to replay
        return plan
    return plan.model_copy(update={"choices": read_profile(plan.device, plan.threads).choices})


def _check(plan: ExecutionPlan) -> None:
    if plan.precision != "adaptive":
        check_precision(plan.precision, plan.device)
    backend = backend_of(plan.device.split(":")[0])
    if plan.compile is True and not (backend and backend.can_compile()):
        raise UserError(
            "Models cannot be compiled for {device} on this machine",
            field="compile",
            hint="Install a C++ compiler and Python's headers (CPU) or Triton (GPU), or set compile to auto.",
            device=plan.device,
        )


def for_block(plan: ExecutionPlan, device: str) -> ExecutionPlan:
    """The plan of one block whose own ``device`` parameter may overrule the run's.

    >>> for_block(ExecutionPlan(device="cpu"), "auto").device
    'cpu'
    """
    if device == "auto" or plan.device.split(":")[0] == device:
        return plan
    return plan.model_copy(update={"device": find_device(device).name})


@contextmanager
def applied(plan: ExecutionPlan, seed: int) -> Iterator[torch.device]:
    """Hold this process to the plan: threads, deterministic kernels, seeded generators; put all back at the end.

    Yields
    ------
    torch.device
        Where to compute.
    """
    import torch

    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    fill, warn_only = (
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]  # not in the stub
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    # cuBLAS reads this when its first handle is made; without it, its sums are not repeatable
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    device = torch.device(plan.device)
    lower = plan.precision == "tf32"
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=lower)
    products = torch.backends.cuda.matmul.allow_tf32
    with random_state_kept(device), exact:
        try:
            torch.set_num_threads(plan.threads)
            torch.backends.cuda.matmul.allow_tf32 = lower
            # some CUDA kernels (max-pool backward) only come in one kind: PyTorch warns there instead of refusing
            set_deterministic(True, warn_only=device.type != "cpu")
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # not in the stub
            torch.manual_seed(seed)
            backend = backend_of(device.type)
            if backend is not None:
                backend.seed(device, seed)
            yield device
        finally:
            set_deterministic(deterministic, warn_only=warn_only)
            torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]  # not in the stub
            torch.backends.cuda.matmul.allow_tf32 = products
            torch.set_num_threads(threads)


def set_deterministic(wanted: bool, *, warn_only: bool = False) -> None:
    """As ``torch.use_deterministic_algorithms``, without its import of the whole compiler, which takes seconds.

    Whoever compiles tells the compiler: it is told here only when it has been imported already.
    """
    import torch

    torch._C._set_deterministic_algorithms(wanted, warn_only=warn_only)
    compiler = sys.modules.get("torch._inductor.config")
    if compiler is not None:
        compiler.deterministic = wanted  # type: ignore[attr-defined]  # not in the stub
