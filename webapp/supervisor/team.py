"""The machines that carry out one run together, as the run's process is told of them.

Called by the dispatcher and by what starts processes. Must not know the database.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass

from webapp.supervisor.devices import interface_of


@dataclass(frozen=True)
class Team:
    """One machine's view of the machines of a run.

    Attributes
    ----------
    count
        Machines of the run.
    node
        Number of this one; 0 is the first, which speaks for all.
    endpoint
        ``host:port`` of the first, where they meet.
    name
        No other attempt's.
    address
        Of this machine.
    """

    count: int
    node: int
    endpoint: str
    name: str
    address: str

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the process; the last three name the network interface to the libraries that want one."""
        nodes = {
            "count": self.count,
            "endpoint": self.endpoint,
            "name": self.name,
            "is_first": self.node == 0,
            "address": self.address,
        }
        interface = interface_of(self.address)
        names = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "TP_SOCKET_IFNAME")
        return {"DEEPSEEK_NODES": json.dumps(nodes), **(dict.fromkeys(names, interface) if interface else {})}


def free_endpoint(address: str) -> str:
    """A port of this machine that nobody listens on now."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind((address, 0))
        return f"{address}:{probe.getsockname()[1]}"
