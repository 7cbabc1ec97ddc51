"""The charts' synthetic study, for cards: nothing is trained."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "charts"))
