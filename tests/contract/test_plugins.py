"""What every module and plugin has to keep: documentation, tests, the Pythons of managed hosts."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from collection import MODULES, NAME, ROLES, ROOT, load

PACKAGES = sorted((ROOT / "plugins").rglob("__init__.py"))
PLUGINS = sorted({*(ROOT / "plugins").rglob("*.py")} - {*PACKAGES})
OLDEST_PYTHON = (3, 8)
TESTS = {
    path: path.read_text() for part in ("unit", "integration") for path in (ROOT / "tests" / part).rglob("test_*.py")
}
# Modules whose action has another name.
ROUTED = {
    name: route["action_plugin"] for name, route in load("meta", "runtime.yml")["plugin_routing"]["modules"].items()
}
OBSERVERS = sorted(path.stem for path in (ROOT / "plugins" / "module_utils" / "observers").glob("[!_]*.py"))
TAKEN = {
    *("failed", "unreachable", "skipped", "skip_reason", "finished", "results", "attempts", "retries", "notify"),
    *("exception", "warnings", "deprecations", "diff", "invocation", "ansible_facts", "ansible_stats"),
}
HEADER = (
    "# Copyright: (c) ",
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
)


def filters() -> list[str]:
    """The names of all filters, as Ansible finds them."""
    from ansible.plugins.loader import filter_loader

    found = []
    for path in sorted((ROOT / "plugins" / "filter").glob("*.py")):
        plugin = filter_loader.get(f"{NAME}.{next(iter(names_in(path)))}")
        assert plugin is not None
        found += names_in(path)
    return sorted(found)


def names_in(path: Path) -> list[str]:
    """The keys of the dictionary that ``FilterModule.filters`` returns."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name == "filters":
            (returned,) = (each.value for each in node.body if isinstance(each, ast.Return))
            assert isinstance(returned, ast.Dict)
            return [ast.literal_eval(key) for key in returned.keys if key is not None]
    raise AssertionError(f"{path} has no filters")


KINDS = {
    "module": MODULES,
    "role": ROLES,
    "callback": sorted(path.stem for path in (ROOT / "plugins" / "callback").glob("*.py")),
    "filter": filters(),
}


@pytest.fixture(scope="module")
def documented():
    """A function: kind of plugin -> what ansible-doc tells of each."""
    told: dict[str, dict] = {}

    def documentation(kind: str) -> dict:
        if kind not in told:
            wanted = [f"{NAME}.{name}" for name in KINDS[kind]]
            command = [str(Path(sys.executable).with_name("ansible-doc")), "--json", "--type", kind, *wanted]
            ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            # ansible-core 2.21 warns of a collection of its own that has no manifest.
            said = [line for line in ran.stderr.splitlines() if "/ansible/_protomatter' does not have" not in line]
            assert (ran.returncode, said) == (0, [])
            told[kind] = json.loads(ran.stdout)
        return told[kind]

    return documentation


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in KINDS[kind]])
def test_ansible_doc(documented, kind, name):
    told = documented(kind)[f"{NAME}.{name}"]
    if kind == "role":
        assert all(entry["short_description"] for entry in told["entry_points"].values())
        return
    assert told["doc"]["short_description"]
    assert told["doc"]["description"]
    assert told["doc"].get("author")
    for option, said in (told["doc"].get("options") or {}).items():
        assert said["description"], option
    if kind != "callback":
        assert NAME in told["examples"]
        assert told["return"]
    if kind == "module":
        assert {"check_mode", "diff_mode"} <= set(told["doc"]["attributes"])


@pytest.mark.parametrize("module", MODULES)
def test_returned_names_are_free(documented, module):
    returned = set(documented("module")[f"{NAME}.{module}"]["return"])
    assert sorted(returned & TAKEN) == [], "Ansible gives this name a meaning and a type of its own"


@pytest.mark.parametrize("module", MODULES)
def test_module_has_a_test(module):
    assert [path for path, text in TESTS.items() if re.search(rf"\b{module}\b", f"{path.stem} {text}")]


@pytest.mark.parametrize("module", MODULES)
def test_module_keeps_the_documentation_strings(module):
    text = (ROOT / "plugins" / "modules" / f"{module}.py").read_text()
    assert text.startswith("#!/usr/bin/python\n")
    assert [
        name for name in ("DOCUMENTATION", "EXAMPLES", "RETURN") if not re.search(rf"^{name} = r", text, re.M)
    ] == []
    runs_on_the_host = "AnsibleModule" in text
    # What all observers run with.
    observes_there = "from ..module_utils.observer_module import run" in text
    assert (
        runs_on_the_host
        or observes_there
        or module in ROUTED
        or (ROOT / "plugins" / "action" / f"{module}.py").is_file()
    )
    assert not runs_on_the_host or "supports_check_mode=True" in text


@pytest.mark.parametrize("path", sorted((ROOT / "plugins" / "action").glob("*.py")), ids=lambda path: path.stem)
def test_action_has_a_module_of_its_name(path):
    assert path.stem in MODULES


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.parent.name)
def test_package_loads_nothing(path):
    """What it imports would travel with every module that uses one file of it."""
    assert path.read_text() == ""


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.relative_to(ROOT / "plugins").as_posix())
def test_header_and_docstring(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#!")]
    assert [line for line, start in zip(lines, HEADER) if not line.startswith(start)] == []
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize(
    "path",
    [path for path in PLUGINS if path.relative_to(ROOT / "plugins").parts[0] in ("modules", "module_utils")],
    ids=lambda path: path.relative_to(ROOT / "plugins").as_posix(),
)
def test_syntax_of_the_oldest_python_on_a_managed_host(path):
    ast.parse(path.read_text(), feature_version=OLDEST_PYTHON)


def test_action_groups_name_existing_modules():
    groups = load("meta", "runtime.yml")["action_groups"]
    for group, members in groups.items():
        assert [member for member in members if member not in MODULES] == [], group


def test_action_group_postgres_is_complete():
    group = load("meta", "runtime.yml")["action_groups"]["postgres"]
    assert group == [module for module in MODULES if module.startswith("postgres_")]


def test_every_observer_is_in_the_registry():
    from ansible_collections.oncall.runbooks.plugins.module_utils import observe

    assert sorted(observe.OBSERVERS) == OBSERVERS
    assert {name: observer.__name__.rpartition(".")[2] for name, observer in observe.OBSERVERS.items()} == {
        name: name for name in OBSERVERS
    }


@pytest.mark.parametrize("observer", OBSERVERS)
def test_observer_has_its_module(documented, observer):
    """Its documentation holds what the observer takes, and the module `observe` shows the same under its name."""
    assert f"{observer}_info" in MODULES
    alone = documented("module")[f"{NAME}.{observer}_info"]
    together = documented("module")[f"{NAME}.observe"]
    assert f"oncall.runbooks.{observer}" in (ROOT / "plugins" / "modules" / f"{observer}_info.py").read_text()
    assert (ROOT / "plugins" / "doc_fragments" / f"{observer}.py").is_file()
    assert alone["return"]["available"]
    assert alone["doc"]["options"] == together["doc"]["options"][observer]["suboptions"]
    assert f"M({NAME}.{observer}_info)" in "".join(together["return"][observer]["description"])


def test_every_observer_runs_through_the_action_observe():
    assert {f"{observer}_info": f"{NAME}.observe" for observer in OBSERVERS} == ROUTED


@pytest.mark.parametrize("observer", OBSERVERS)
def test_observer_loads_what_it_looks_with_only_when_called(observer):
    """Each file costs milliseconds, and `observe` loads every observer's."""
    package = f"ansible_collections.{NAME}.plugins.module_utils"
    script = f"""
import sys
from {package} import observe
before = set(sys.modules)
assert callable(observe.observer({observer!r}).load())
print(*sorted(name for name in before if name.startswith({package!r})))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    loaded = {name.removeprefix(package).lstrip(".") for name in ran.stdout.split()}
    thin = re.compile(r"|observe|deadline|observers(\.\w+)?|\w+(\.spec)?")
    assert [name for name in loaded if not thin.fullmatch(name)] == []


def test_observer_that_is_finished_on_the_controller(documented):
    """Where it cannot look, it returns the same names as where it can."""
    from importlib import import_module

    from ansible_collections.oncall.runbooks.plugins.plugin_utils import finish

    assert sorted(finish.NAMES) == ["api", "auth", "job_schedule", "status_page", "sync_state"]
    for observer in finish.NAMES:
        step = import_module(f"{finish.__package__}.finishing.{observer}")
        assert callable(step.why_not)
        assert callable(step.finish)
        returned = documented("module")[f"{NAME}.{observer}_info"]["return"]
        assert set(step.NOTHING) | {"available", "reason"} == set(returned)


def test_unknown_observer():
    from ansible_collections.oncall.runbooks.plugins.module_utils import observe

    with pytest.raises(ValueError, match=r"unknown observer rediss; known observers: .*, redis, service, .*"):
        observe.observe({"rediss": {}})
    with pytest.raises(ValueError, match="unknown observer rediss"):
        observe.needs_host({"rediss": {}})


def test_a_part_of_a_fragment_has_not_the_name_of_a_fragment():
    """Ansible takes oncall.runbooks.migrations.backup for the fragment backup, whatever the fragment migrations has."""
    folder = ROOT / "plugins" / "doc_fragments"
    names = {path.stem for path in folder.glob("*.py")}
    parts = {
        (path.stem, found.lower())
        for path in folder.glob("*.py")
        for found in re.findall(r"^    ([A-Z_]+)(?:: str)? = ", path.read_text(), re.M)
    }
    assert ("migrations", "verified") in parts
    assert not [part for part in parts if part[1] in names]
