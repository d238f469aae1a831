"""``python -m engine.run FOLDER``: see :mod:`engine.run.child`."""

import sys
from pathlib import Path

from engine.run.child import main

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
