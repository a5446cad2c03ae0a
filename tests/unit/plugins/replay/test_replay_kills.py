# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replay that is killed between any two of its steps, and the run that follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from replaying import Engine, Killed, Time, run

from ansible_collections.oncall.runbooks.plugins.module_utils.replay.journal import Journal, JournalError, Journals


def killed_at(folder: Path, engine: Engine, step: int, **more: Any) -> bool:
    """Run until so many steps were done; whether it came to its end before."""
    engine.steps_left = step
    try:
        run(folder, engine, **more)
    except Killed:
        return False
    return True


# What a message is in the journal, and how often it was sent and where it is then.
TRUTH = {
    "done": {(1, "done")},
    "failed_again": {(1, "dead")},
    "chosen": {(0, "dead")},
    "left": {(0, "dead")},
    "lost": {(0, "dead"), (1, "waiting"), (1, "done"), (1, "dead")},
}


@pytest.mark.parametrize("is_certain", [True, False])
@pytest.mark.parametrize("fails", [(), ("m7",), ("m0",)])
@pytest.mark.parametrize("half", [False, True])
def test_a_kill_between_any_two_steps_loses_none_and_sends_none_twice(tmp_path, is_certain, fails, half):
    step, ended, lost = 0, False, 0
    while not ended:
        engine, folder = Engine(17, fails=fails, is_certain=is_certain), tmp_path / str(step)
        engine.half_lines = half
        ended = killed_at(folder, engine, step)
        engine.steps_left = None
        before = journals(folder)
        if not before or not before[0].account.is_closed:
            told = run(folder, engine)
            assert told["taken_up"] == bool(before) and told["found"] == 17, step
        (journal,) = journals(folder)
        assert journal.account.is_closed
        for one, message in engine.messages.items():
            state = journal.account.states[one]
            assert (message["sent"], message["place"]) in TRUTH[state], (step, one, state)
            lost += state == "lost"
        if is_certain and not fails:
            assert set(journal.account.states.values()) == {"done"}, step
        step += 1
    assert step > 15 and (lost == 0 or not is_certain)


def journals(folder: Path) -> list[Journal]:
    return [Journal(path) for path in sorted(folder.glob("replays/*/*.jsonl"))]


def test_many_kills_one_after_the_other(tmp_path):
    engine, kills = Engine(60), 0
    while not killed_at(tmp_path, engine, 2 + kills % 5, batch_size=3):
        kills += 1
        assert kills < 1000
    engine.steps_left = None
    run(tmp_path, engine)
    assert kills >= 50
    assert {message["sent"] for message in engine.messages.values()} == {1}


def test_an_engine_that_cannot_tell_is_not_asked_twice(tmp_path):
    """What may have been sent, and does not show, is for a person."""
    engine = Engine(3, is_certain=False)
    engine.dies_before_sending = True
    with pytest.raises(Killed):
        run(tmp_path, engine)
    engine.dies_before_sending = False
    told = run(tmp_path, engine)
    assert (told["stopped_by"], told["lost"], told["left"], told["replayed"]) == ("lost", 1, 2, 1)
    assert "message m0" in told["stopped"]
    assert engine.messages["m0"]["sent"] == 0


def test_what_could_still_be_sent_is_waited_for(tmp_path):
    engine, time = Engine(3), Time()
    engine.dies_before_sending = True
    engine.until_seconds = time.time() + 30
    with pytest.raises(Killed):
        run(tmp_path, engine, time=time)
    engine.dies_before_sending = False
    # It is sent after all, by a program that lived on.
    time.at(engine.until_seconds - 1, lambda: engine.send_now(["m0"]))
    told = run(tmp_path, engine, time=time)
    assert told["done"] == 3 and told["taken_up"]
    assert {message["sent"] for message in engine.messages.values()} == {1}


def test_half_a_line_is_nothing_and_any_other_damage_is_told(tmp_path):
    engine = Engine(3)
    assert not killed_at(tmp_path, engine, 6)
    (path,) = tmp_path.glob("replays/*/*.jsonl")
    assert path.stat().st_mode & 0o777 == 0o600
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event": "sen')
    assert Journal(path).account.states == Journal(path).account.states
    path.write_bytes(whole.replace(b'"event": "asked"', b'"event": "done"'))
    with pytest.raises(
        JournalError, match=r"cannot be read: message m0 is done after it was chosen; look what changed it"
    ):
        run(tmp_path, engine)
    path.write_bytes(b"\n".join([*whole.splitlines()[:-1], b"[]", b""]))
    with pytest.raises(JournalError, match="cannot be read"):
        run(tmp_path, engine)
    path.write_bytes(b"")
    with pytest.raises(JournalError, match="it is empty"):
        run(tmp_path, engine)
    assert sum(message["sent"] for message in engine.messages.values()) <= 1


def test_a_journal_of_another_queue_is_not_taken_up(tmp_path):
    engine = Engine(3)
    assert not killed_at(tmp_path, engine, 6)
    with pytest.raises(JournalError, match=r"is open and of another queue \(PostgreSQL a, not PostgreSQL b\)"):
        run(tmp_path, engine, identity={"where": "PostgreSQL b"})


def test_one_replay_of_a_queue_at_a_time(tmp_path):
    with Journals(str(tmp_path), "mail", 0.1), pytest.raises(
        JournalError, match="another replay of this queue is at work"
    ):
        Journals(str(tmp_path), "mail", 0.1).__enter__()
    # Of another queue, and after its end.
    with Journals(str(tmp_path), "mail", 0.1), Journals(str(tmp_path), "../mail", 0.1) as other:
        assert other.folder.parent == tmp_path / "replays"


def test_nothing_is_kept_where_others_may_write(tmp_path):
    (tmp_path / "replays").mkdir()
    (tmp_path / "replays").chmod(0o777)
    with pytest.raises(JournalError, match="may be written to by everybody"):
        run(tmp_path, Engine(1))
    with pytest.raises(JournalError, match="no absolute path"):
        Journals("there", "mail", 0.1).__enter__()


def test_in_check_mode_nothing_is_made(tmp_path):
    engine = Engine(3)
    told = run(tmp_path, engine, check_mode=True)
    assert (told["found"], told["chosen"], told["replayed"], told["left"], told["journal"]) == (3, 3, 0, 3, "")
    assert list(tmp_path.iterdir()) == []
