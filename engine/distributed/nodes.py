"""Which machines take part in a job, as whoever started this process says.

Called by blocks that train. A supervisor that leased several machines for one run names them in the environment; a
process that nobody told is alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from engine.distributed.messages import Nodes
from engine.errors import UserError

VARIABLE = "DEEPSEEK_NODES"


def nodes_of(wanted: int, environment: Mapping[str, str] = os.environ) -> Nodes:
    """The machines for a job.

    Raises
    ------
    UserError
        When more are wanted than were leased.

    Examples
    --------
    >>> nodes_of(1, {}).endpoint
    '127.0.0.1:0'
    """
    if wanted == 1:
        return Nodes()
    told = environment.get(VARIABLE)
    if told is None:
        raise UserError(
            "{wanted} machines were asked for, and this run has one",
            field="nodes",
            hint="Runs on several machines start from the studio, which leases the machines: see docs/distributed.md.",
            wanted=wanted,
        )
    found = Nodes(**json.loads(told))
    if found.count != wanted:
        raise UserError(
            "{wanted} machines were asked for, and this run has {count}",
            field="nodes",
            hint="Use the same number in every block of the pipeline.",
            wanted=wanted,
            count=found.count,
        )
    return found
