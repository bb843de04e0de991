"""How much memory a piece of work takes above what the process had when it began."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parents[2])
_FRAME = """
import re, sys
sys.path.insert(0, {root!r})
{imports}

def held(name):
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\\s+(\\d+)", file.read())[1])

before = held("VmRSS")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak is counted from here
{work}
print("growth", held("VmHWM") - before)
"""


def growth(imports: str, work: str) -> float:
    """The peak of a process of its own above its start, in MB; Linux only.

    Args:
        imports: What is loaded before the memory is looked at.
        work: What is measured.
    """
    code = _FRAME.format(root=_ROOT, imports=imports, work=work)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = re.search(r"growth (-?\d+)", done.stdout)
    assert found is not None
    return int(found[1]) / 1024
