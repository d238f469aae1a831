"""The compute layer: which devices there are, how much memory they have, and the plan a run holds to."""

from engine.compute.devices import Device, available_devices, find_device, is_out_of_memory, usable_cpus
from engine.compute.plan import applied, resolve

__all__ = [
    "Device",
    "applied",
    "available_devices",
    "find_device",
    "is_out_of_memory",
    "resolve",
    "usable_cpus",
]
