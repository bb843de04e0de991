"""Whether another program runs is known here, or said not to be known."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tui.processes import process_is_running, process_name


def test_a_process_knows_itself_and_no_two_names_are_equal() -> None:
    one, two = process_name(), process_name()
    assert one != two
    assert process_is_running(one) is True


def test_a_process_that_ended_is_known_to_have_ended() -> None:
    code = "from tui.processes import process_name; print(process_name())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process_is_running(done.stdout.strip()) is False


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")  # noqa: PTH110
def test_a_process_id_that_was_given_again_is_another_process() -> None:
    mark, host, boot, space, pid, start, rest = process_name().split(":")
    again = ":".join((mark, host, boot, space, pid, str(int(start) - 1), rest))
    assert process_is_running(again) is False


@pytest.mark.parametrize("name", ["", "host:1:x", "v2:h:other-boot:1:1:1:x", "v2:a:b:c:d:e:f"])
def test_nobody_can_tell_of_a_process_elsewhere(name: str) -> None:
    assert process_is_running(name) is None
