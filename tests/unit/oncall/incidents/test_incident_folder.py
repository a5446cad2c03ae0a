# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents in a folder: the same entries and rules as in the database, for those who have neither a service nor the program."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from oncall.errors import OncallError
from oncall.incidents import folder_commands as words
from oncall.incidents.folder import Folder

REPOSITORY = Path(__file__).resolve().parents[4]
# What is there only where the program oncall was installed.
NOT_THERE = ("msgspec", "sqlalchemy", "click", "ansible_runner", "apprise", "starlette")


def do(folder: Folder, name: str, command: str, who: str = "ann", **fields: object):
    return folder.do(name, words.command(command, fields, who))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "incidents", clock=iter(range(1000, 100_000)).__next__)


def test_an_incident_from_its_beginning_to_its_end(folder, tmp_path):
    opened, entries = folder.open("checkout is down", who="ann", system="shop", severity="P1")
    assert (opened.name, opened.state, [one.kind for one in entries]) == ("INC-1", "triggered", ["opened"])
    do(folder, "INC-1", "acknowledge")
    assert do(folder, "1", "acknowledge", "ben")[1] == ()
    do(folder, opened.id[:8], "note", text="the provider says 20 minutes", at=900)
    do(folder, "INC-1", "update", conditions="half of it works", customers=True)
    do(folder, "INC-1", "escalate", targets=["team lead"], need="a decision")
    do(folder, "INC-1", "step", checklist="respond", step="status page updated", done=True)
    do(folder, "INC-1", "resolve", how="rolled back")
    closed, _ = do(folder, "INC-1", "close")
    assert (closed.state, closed.system, closed.severity, closed.acknowledged_by) == ("closed", "shop", "P1", "ann")
    told = folder.document("INC-1")
    assert [one["number"] for one in told["timeline"]] == [*range(1, len(told["timeline"]) + 1)]
    assert folder.verify("1")[1].is_sound
    assert [one.name for one in folder.listed()] == ["INC-1"]
    again, _ = folder.open("again", who="ann", again="INC-1")
    assert (again.number, again.opens_again) == (2, opened.id)
    for path in (tmp_path / "incidents").iterdir():
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "command, fields, says",
    [
        ("dance", {}, "no command 'dance'"),
        ("note", {"text": "x", "colour": "red"}, "note has no field colour; there are text, part, at"),
        ("note", {}, "'text'"),
        ("note", {"text": " "}, "the note is empty"),
        ("note", {"text": ["x"]}, "text is a list; str is needed"),
        ("note", {"text": "x", "at": "yesterday"}, "at is no time"),
        ("pin", {"number": "x"}, "number is a str; int is needed"),
        ("pin", {"number": 99}, "there is no entry 99"),
        ("escalate", {"targets": "ann"}, "targets is a str"),
        ("acknowledge", {"again": True}, "acknowledge has no field again"),
        ("severity", {"to": "<b>"}, "is no name of a severity"),
        ("close", {}, "resolve it first"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_writes_nothing(folder, command, fields, says):
    folder.open("checkout is down", who="ann")
    with pytest.raises(OncallError) as refused:
        do(folder, "INC-1", command, **fields)
    assert says in str(refused.value) and "\n" not in str(refused.value)
    assert len(folder.document("INC-1")["timeline"]) == 1


def test_names_that_nobody_has(folder):
    with pytest.raises(OncallError, match=r"there is no incident 'INC-1'.*the newest are none"):
        folder.find("INC-1")
    folder.open("x", who="ann")
    for name in ("", "2", "../INC-1", "0" * 32):
        with pytest.raises(OncallError, match="the newest are INC-1"):
            folder.find(name)
    with pytest.raises(OncallError, match="goes on"):
        folder.open("y", who="ann", again="INC-1")
    with pytest.raises(OncallError, match="open needs a title"):
        words.opening({"system": "shop"})
    with pytest.raises(OncallError, match="open has no field colour"):
        words.opening({"title": "x", "colour": "red"})


def test_a_timeline_that_was_tampered_with_is_found(folder, tmp_path):
    folder.open("x", who="ann")
    do(folder, "1", "note", text="the first")
    do(folder, "1", "note", text="the second")
    (file,) = (tmp_path / "incidents").glob("*.jsonl")
    lines = file.read_text().splitlines()
    for changed, says in (
        ([lines[0], lines[1].replace("the first", "a lie"), lines[2]], "it was changed"),
        ([lines[0], lines[2]], "before it was removed"),
        ([lines[0], lines[2], lines[1]], "not in their order"),
    ):
        file.write_text("\n".join(changed) + "\n")
        assert says in str(folder.verify("1")[1].problems)
    file.write_text("\n".join([*lines, "{}"]) + "\n")
    with pytest.raises(OncallError, match="has a line that is no entry"):
        folder.find("1")


def _note(path: Path, number: int) -> None:
    do(Folder(path), "1", "note", text=f"note {number}")


def _damaged(folder, name, how):
    """The file of an incident, after somebody was at it."""
    file = next(folder.glob(f"{name}-*.jsonl"))
    lines, other = file.read_text().splitlines(), file.with_name(file.name.replace(name, "INC-9"))
    if how == "renamed":
        file.rename(other)
    elif how == "copied":
        shutil.copy(file, other)
    elif how == "a folder":
        file.unlink()
        file.mkdir()
    else:
        half = "\n".join([*lines[:-1], lines[-1][:50]]).encode()
        file.write_bytes({"half a line": half, "empty": b"", "binary": b"\xff\xfe\x00", "no entry": b"{}\n"}[how])


@pytest.mark.parametrize(
    "how, says",
    [
        ("half a line", "has a line that is no entry, line 2: "),
        ("empty", "there is no entry: all were removed"),
        ("binary", "has a line that is no entry"),
        ("no entry", "has a line that is no entry, line 1: "),
        ("a folder", "Is a directory"),
        ("renamed", "it was opened as INC-2, and its file is called INC-9"),
        ("copied", "there are several files of it: INC-2, INC-9"),
    ],
)
def test_a_damaged_file_is_found_and_hides_no_other(folder, tmp_path, how, says):
    for number in (1, 2, 3):
        folder.open(f"number {number}", who="ann", system="shop")
        do(folder, str(number), "note", text="seen")
    _damaged(tmp_path / "incidents", "INC-2", how)
    found = {name: verdict for _id, name, verdict in folder.verified()}
    assert found["INC-1"].is_sound and found["INC-3"].is_sound
    wrong = {name: verdict for name, verdict in found.items() if not verdict.is_sound}
    assert says in " ".join(one.what for verdict in wrong.values() for one in verdict.problems)
    assert {"INC-1", "INC-3"} <= {one.name for one in folder.listed()}
    # What goes on is written: nobody waits for the damaged one.
    do(folder, "3", "resolve", how="rolled back")
    assert folder.open("another", who="ann")[0].number in (4, 10)


def test_a_folder_that_is_not_there_is_not_sound(tmp_path):
    with pytest.raises(OncallError, match=r"there is no folder .*/typo; name the one"):
        Folder(tmp_path / "typo").verified()


def test_who_writes_at_once_writes_one_after_the_other(tmp_path):
    Folder(tmp_path).open("x", who="ann")
    with ProcessPoolExecutor(4) as many:
        list(many.map(partial(_note, tmp_path), range(40)))
    folder = Folder(tmp_path)
    assert folder.verify("1")[1].is_sound
    assert {one.data["text"] for one in folder.timeline(folder.find("1").id)[1:]} == {f"note {n}" for n in range(40)}


def _one_of_the_system(path: Path, _number: int) -> None:
    folder = Folder(path)
    with folder.alone():
        if not folder.listed():
            folder.open("x", who="ann", system="shop")


def test_who_looks_and_opens_alone_opens_one(tmp_path):
    with ProcessPoolExecutor(4) as many:
        list(many.map(partial(_one_of_the_system, tmp_path), range(20)))
    assert [one.name for one in Folder(tmp_path).listed()] == ["INC-1"]


def test_nothing_but_python_and_what_ansible_brings_is_needed(tmp_path):
    """As an action of the collection has it, where the program oncall is not installed."""
    for name in (*NOT_THERE, "oncall"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is not there')\n")
    code = f"""
import sys
sys.path[:0] = [{str(tmp_path)!r}, {str(REPOSITORY / "collections")!r}]
from ansible_collections.oncall.runbooks.plugins.plugin_utils.incident_folder import part
from pathlib import Path
folder = part("incidents.folder").Folder(Path({str(tmp_path / "incidents")!r}))
folder.open("<b>checkout</b> is down", who="ann", severity="P1")
folder.do("1", part("incidents.folder_commands").command("resolve", {{"how": "rolled back"}}, "ann"))
post = part("incidents.postmortem")
found = post.of(folder.document("1"), post.Template.of({{}}))
assert b"rolled back" in post.html(found) and "rolled back" in post.markdown(found)
assert not {{"oncall", *{NOT_THERE!r}}} & {{*sys.modules}}, sorted(sys.modules)
import json
print(json.dumps(found.to_dict()))
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    argv = [sys.executable, "-m", "oncall", "incident"]
    told = subprocess.run(
        [*argv, "postmortem", "1", "--records", str(tmp_path / "incidents"), "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    assert json.loads(told.stdout) == json.loads(done.stdout)
    verified = subprocess.run(
        [*argv, "verify", "--records", str(tmp_path / "incidents"), "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    assert json.loads(verified.stdout)["sound"] is True
