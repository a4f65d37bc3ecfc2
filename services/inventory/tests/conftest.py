"""Makes this folder's builders importable; what tests need from outside is in the testbed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
