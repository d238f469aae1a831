"""Where this installation keeps its files.

Called wherever a default place is needed. Must not create anything but folders below it.
"""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of this installation: ``DEEPSEEK_HOME``, or ``~/.deepseek-studio``."""
    return Path(os.environ.get("DEEPSEEK_HOME") or Path.home() / ".deepseek-studio").absolute()
