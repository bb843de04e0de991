from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.store.bench import Desk
from tui.paths import Paths
from tui.processes import process_name
from tui.store import leases


@pytest.fixture
def batch(desk: Desk) -> str:
    return desk.batch(desk.job(["a"])).id


def owned_by(desk: Desk, batch: str, owner: str, until: float) -> None:
    with desk.database.write() as connection:
        connection.execute(
            "UPDATE batches SET lease_owner=?, lease_until=? WHERE id=?", (owner, until, batch)
        )


def test_a_batch_is_claimed_once(desk: Desk, batch: str, paths: Paths) -> None:
    other = Desk(paths)
    assert desk.history.leases.claim(batch, 100.0, 30.0, 0.0)
    assert desk.history.leases.claim(batch, 100.0, 30.0, 0.0)
    assert not other.history.leases.claim(batch, 100.0, 30.0, 0.0)
    other.history.leases.release([batch])
    assert not other.history.leases.claim(batch, 100.0, 30.0, 0.0)
    desk.history.leases.release([batch])
    assert other.history.leases.claim(batch, 100.0, 30.0, 0.0)
    other.history.close()


@pytest.mark.parametrize("clock", [100.0, 1e9], ids=["same clock", "clock set forward"])
def test_a_lease_that_is_not_renewed_while_one_looks_is_free(
    desk: Desk, batch: str, paths: Paths, clock: float
) -> None:
    """A living process that was stopped; what the clocks say does not matter."""
    other = Desk(paths)
    assert desk.history.leases.claim(batch, 100.0, 30.0, 0.0)
    assert not other.history.leases.claim(batch, clock, 30.0, 500.0)
    assert not other.history.leases.claim(batch, clock, 30.0, 529.0)
    desk.history.leases.renew([batch], 160.0)
    assert not other.history.leases.claim(batch, clock, 30.0, 531.0)
    assert not other.history.leases.claim(batch, clock, 30.0, 560.0)
    assert other.history.leases.claim(batch, clock, 30.0, 562.0)
    assert not desk.history.leases.is_mine(batch)
    desk.history.leases.renew([batch], 1000.0)
    assert other.history.leases.is_mine(batch)
    other.history.close()


def test_what_a_dead_program_held_is_free_at_once(desk: Desk, batch: str) -> None:
    code = "from tui.processes import process_name; print(process_name())"
    gone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    owned_by(desk, batch, gone.stdout.strip(), 1000.0)
    assert desk.history.leases.claim(batch, 100.0, 30.0, 0.0)


def test_what_a_process_elsewhere_holds_is_not_free(desk: Desk, batch: str) -> None:
    """Its process id means nothing here: another container, machine, boot, or older version."""
    mark, host, boot, space, pid, start, rest = process_name().split(":")
    for owner in (
        ":".join((mark, host, boot, "4026530000", "99999999", start, rest)),
        ":".join((mark, host, "another-boot", space, pid, start, rest)),
        f"{socket.gethostname()}:99999999:x",
    ):
        owned_by(desk, batch, owner, 1000.0)
        assert not desk.history.leases.claim(batch, 100.0, 30.0, 0.0)
        assert not desk.history.leases.claim(batch, 1290.0, 30.0, 1.0)
        assert desk.history.leases.claim(batch, 1301.0, 30.0, 2.0)


def test_a_batch_that_is_gone_cannot_be_claimed(desk: Desk) -> None:
    assert not desk.history.leases.claim("none", 100.0, 30.0, 0.0)
    desk.history.leases.release(["none"])
    desk.history.leases.renew(["none"], 1.0)


@pytest.mark.parametrize("act", ["renewed", "taken by a third"])
def test_a_lease_that_changes_hands_between_look_and_claim_is_not_taken(
    desk: Desk, batch: str, paths: Paths, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """The holder seems dead when it is looked at, and is quicker than the one who looks."""
    other, third = Desk(paths), Desk(paths)
    assert other.history.leases.claim(batch, 100.0, 30.0, 0.0)

    def dead(owner: str) -> bool:
        monkeypatch.undo()
        if act == "renewed":
            other.history.leases.renew([batch], 160.0)
        else:
            other.history.leases.release([batch])
            assert third.history.leases.claim(batch, 100.0, 30.0, 0.0)
        return False

    monkeypatch.setattr(leases, "process_is_running", dead)
    assert not desk.history.leases.claim(batch, 100.0, 30.0, 0.0)
    for one in (other, third):
        one.history.close()
