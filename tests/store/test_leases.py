from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.store.bench import Desk
from tui.paths import Paths
from tui.store import leases
from tui.store.leases import claim, release, renew


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
    assert claim(desk.database, batch, 100.0, 30.0)
    assert claim(desk.database, batch, 100.0, 30.0)
    assert not claim(other.database, batch, 100.0, 30.0)
    release(other.database, [batch])
    assert not claim(other.database, batch, 100.0, 30.0)
    release(desk.database, [batch])
    assert claim(other.database, batch, 100.0, 30.0)
    other.history.close()


def test_a_lease_that_ran_out_is_free(desk: Desk, batch: str, paths: Paths) -> None:
    other = Desk(paths)
    assert claim(desk.database, batch, 100.0, 30.0)
    assert not claim(other.database, batch, 129.0, 30.0)
    renew(desk.database, [batch], 160.0)
    assert not claim(other.database, batch, 159.0, 30.0)
    assert claim(other.database, batch, 161.0, 30.0)
    renew(desk.database, [batch], 1000.0)
    assert claim(desk.database, batch, 200.0, 30.0)
    other.history.close()


def test_what_a_dead_program_held_is_free_at_once(desk: Desk, batch: str) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    owned_by(desk, batch, f"{socket.gethostname()}:{gone.pid}:x", 1000.0)
    assert claim(desk.database, batch, 100.0, 30.0)


def test_what_a_living_program_or_another_machine_holds_is_not(desk: Desk, batch: str) -> None:
    for owner in (f"{socket.gethostname()}:1:x", "else:where:99999999:x"):
        owned_by(desk, batch, owner, 1000.0)
        assert not claim(desk.database, batch, 100.0, 30.0)


def test_a_batch_that_is_gone_cannot_be_claimed(desk: Desk) -> None:
    assert not claim(desk.database, "none", 100.0, 30.0)
    release(desk.database, ["none"])
    renew(desk.database, ["none"], 1.0)


@pytest.mark.parametrize("act", ["renewed", "taken by a third"])
def test_a_lease_that_changes_hands_between_look_and_claim_is_not_taken(
    desk: Desk, batch: str, paths: Paths, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """The holder seems dead when it is looked at, and is quicker than the one who looks."""
    other, third = Desk(paths), Desk(paths)
    assert claim(other.database, batch, 100.0, 30.0)

    def dead(owner: str) -> bool:
        monkeypatch.undo()
        if act == "renewed":
            renew(other.database, [batch], 160.0)
        else:
            release(other.database, [batch])
            assert claim(third.database, batch, 100.0, 30.0)
        return False

    monkeypatch.setattr(leases, "_alive", dead)
    assert not claim(desk.database, batch, 100.0, 30.0)
    for one in (other, third):
        one.history.close()
