"""Start a program in a real terminal, wait for its first screen, and leave it with `q`.

Uses the standard library alone, so that it runs where only the wheel is installed:
``python start.py WORD COMMAND…`` ends with 0 when WORD was painted and the program left.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

SECONDS = 60.0


def main(word: str, command: list[str]) -> int:
    """Run it; the answer is the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    painted = b""
    asked = False
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        ready, _, _ = select.select([terminal], [], [], 0.5)
        if ready:
            try:
                painted += os.read(terminal, 1 << 16)
            except OSError:
                # Linux says so when the program has closed its side.
                break
        if not asked and word.encode() in painted:
            os.write(terminal, b"q")
            asked = True
    else:
        os.kill(pid, 9)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    print(f"{word!r} was {'painted' if asked else 'never painted'}; exit code {code}")
    return 0 if asked and code == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
