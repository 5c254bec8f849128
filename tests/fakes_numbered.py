"""Step 59: make a data set out of photos of cities."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fakes_door import main

if __name__ == "__main__":
    sys.exit(main())
