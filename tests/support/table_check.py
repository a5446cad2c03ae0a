"""What is wrong with the names of a runbook's table, found by reading it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes

from ansible_collections.oncall.runbooks.plugins.plugin_utils.table import evidence
from ansible_collections.oncall.runbooks.tests.support import yaml_files

ROOT = Path(__file__).parents[2]
_PARSER = Environment(autoescape=True)  # nothing is rendered with it
# What Ansible gives to every expression, and what a role can rely on.
_GIVEN = {"now", "undef", "dict", "range", "lookup", "query", "omit", "None", "True", "False", "namespace"} | {
    *("inventory_hostname", "ansible_connection", "ansible_shell_type", "ansible_check_mode"),
    *("run_subject", "run_state", "run_step", "run_max_risk"),
}
_EXPRESSIONS = ("when", "conclusive", "applies", "only_where")
_TEMPLATES = "templates"
_METHOD_AS_KEY = re.compile(
    r"\w+(?:\.(?:keys|items|values)\b(?!\()|\['(?:keys|items|values|get|copy|pop|update|clear)'\])"
)
# Of a dictionary that is one thing by name.
_METHODS = {"items", "keys", "values", "get"}


def _yaml(*parts: str) -> Any:
    return yaml_files.load(ROOT.joinpath(*parts))


def returned(module: str) -> dict[str, Any]:
    """What the documentation of a module says that it returns."""
    found = re.search(
        r'^RETURN = r"""\n(.*?)^"""', (ROOT / "plugins/modules" / f"{module}.py").read_text(), re.M | re.S
    )
    assert found, module
    return yaml_files.parsed(found[1])


def observers() -> dict[str, dict[str, Any]]:
    """What each observer returns."""
    names = (path.stem.removesuffix("_info") for path in (ROOT / "plugins" / "modules").glob("*_info.py"))
    return {name: returned(f"{name}_info") for name in names if name != "ledger"}


def readings(runbook: str) -> dict[str, ast.FunctionDef]:
    """The functions that give names to a table, by name."""
    path = ROOT / "plugins" / "plugin_utils" / "readings" / f"{runbook}.py"
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {node.name: node for node in found if not node.name.startswith("_")}


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, bool]]:
    """Each text in a value, and whether it is an expression without braces."""
    if isinstance(value, str):
        yield value, key in _EXPRESSIONS
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _texts(one, str(name) if key != _TEMPLATES and name in _EXPRESSIONS else key)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, key)


def _trees(value: Any, key: str = "") -> Iterator[nodes.Template]:
    for text, is_expression in _texts(value, key):
        # Ansible reads a backslash as it stands, Jinja as the beginning of an escape; no name has one.
        text = text.replace("\\", "/")
        yield _PARSER.parse("{{ (" + text + ") }}" if is_expression else text)


def used_in(value: Any, key: str = "") -> set[str]:
    """The names that the templates in a value use; those of its expressions, where the key is one of them."""
    found: set[str] = set()
    for tree in _trees(value, key):
        names = list(tree.find_all(nodes.Name))
        found |= (
            {name.name for name in names if name.ctx == "load"} - {n.name for n in names if n.ctx != "load"} - {"loop"}
        )
    return found


def _parameters(function: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in [*function.args.args, *function.args.kwonlyargs]}


def comes_from(runbook: str, value: Any) -> set[str]:
    """All names that a value comes from: those in it, and through the names of the table and its readings."""
    role = _yaml("roles", runbook, "vars", "main.yml")
    names = {**role, **role.get(f"{runbook}_names", {})}
    functions = readings(runbook)
    done: set[str] = set()
    pending = used_in(value, _TEMPLATES)
    while pending:
        name = pending.pop()
        done.add(name)
        more = _parameters(functions[name]) if name in functions else used_in(names.get(name, ""), _TEMPLATES)
        pending |= more - done
    return done


def _chain(node: nodes.Node) -> tuple[str, list[str | None]]:
    """The name that a chain of attributes and items begins with, and its keys; None is a key that is worked out."""
    keys: list[str | None] = []
    while isinstance(node, (nodes.Getattr, nodes.Getitem)):
        if isinstance(node, nodes.Getattr):
            keys.append(node.attr)
        else:
            keys.append(
                node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else None
            )
        node = node.node
    return (node.name if isinstance(node, nodes.Name) else ""), keys[::-1]


def _wrong_key(keys: list[str | None], documented: dict[str, Any]) -> str:
    """The first key that the documentation does not know, or ""."""
    by_name = False
    for key in keys:
        if key in documented:
            documented, by_name = documented[key].get("contains", {}), documented[key]["type"] in ("dict", "list")
            if not documented:
                return ""
        elif key is None or by_name:
            by_name = False
            if key in _METHODS:
                return ""
        else:
            return str(key)
    return ""


def _keys_read(function: ast.FunctionDef) -> Iterator[tuple[str, list[str | None]]]:
    for node in ast.walk(function):
        keys: list[str | None] = []
        while isinstance(node, ast.Subscript):
            keys.append(
                node.slice.value if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str) else None
            )
            node = node.value
        if isinstance(node, ast.Name) and keys:
            yield node.id, keys[::-1]


def trouble_with(runbook: str) -> list[str]:
    """What is wrong with the names of a table, a line each."""
    role = _yaml("roles", runbook, "vars", "main.yml")
    names: dict[str, Any] = role.get(f"{runbook}_names", {})
    functions = readings(runbook)
    seen = observers()
    options = set(_yaml("roles", runbook, "defaults", "main.yml")) | {
        f"{key}"
        for spec in ("system", "run")
        for key in _yaml("roles", spec, "meta", "argument_specs.yml")["argument_specs"]["main"]["options"]
    }
    tasks = " ".join(path.read_text() for path in sorted((ROOT / "roles" / runbook / "tasks").glob("*.yml")))
    asked = set(re.findall(r"^    (\w+):", tasks, re.M)) & set(seen)
    registered = set(re.findall(r"\bregister: (\w+)", tasks))
    read_by_tasks = {name for line in re.findall(r"\bnames: \[([^\]]*)\]", tasks) for name in re.findall(r"\w+", line)}
    table = {
        key: role[key] for key in role if key in {f"{runbook}_{part}" for part in ("causes", "applies", "healthy")}
    }
    table[f"{runbook}_evidence"] = evidence(role.get(f"{runbook}_evidence", {}), str)
    lines: list[str] = []

    for name in sorted(set(names) & set(functions)):
        lines.append(f"{name} is a name of vars/main.yml and of readings/{runbook}.py")
    for name in sorted((set(names) | set(functions)) & (set(seen) | set(role) | options)):
        lines.append(f"{name} hides an observation or a variable")
    defined = set(names) | set(functions)
    known = defined | asked | options | set(role) | registered | _GIVEN
    try:
        places = {
            **{f"{runbook}_names.{name}": used_in(value, _TEMPLATES) for name, value in names.items()},
            **{f"readings/{runbook}.py: {name}": _parameters(function) for name, function in functions.items()},
            **{key: used_in(value) for key, value in table.items()},
            f"{runbook}_conclusive": used_in(role.get(f"{runbook}_conclusive", []), "conclusive"),
        }
        trees = [
            *_trees(names, _TEMPLATES),
            *_trees(table),
            *_trees(role.get(f"{runbook}_conclusive", []), "conclusive"),
        ]
    except TemplateSyntaxError as error:
        return [f"{error.message}: {error.source}"]
    for place, used in places.items():
        lines += [f"{place} uses {name}, which is not defined" for name in sorted(used - known)]
    lines += [
        f"{found[0]} is the method of a dictionary where there is no such key; take it with dict2items"
        for text, _ in _texts({"names": names, "table": table})
        for found in [_METHOD_AS_KEY.search(text)]
        if found
    ]
    everywhere = set().union(*places.values()) | read_by_tasks
    lines += [f"{name} is defined and not used" for name in sorted(defined - everywhere)]
    lines += [f"{name} is looked at and not used" for name in sorted(asked - everywhere)]
    chains = [_chain(node) for tree in trees for node in tree.find_all((nodes.Getattr, nodes.Getitem))]
    chains += [chain for function in functions.values() for chain in _keys_read(function)]
    for name, keys in chains:
        wrong = (
            _wrong_key(keys, {"available": {"type": "bool"}, "reason": {"type": "str"}, **seen[name]})
            if name in seen
            else ""
        )
        if wrong:
            lines.append(f"{'.'.join([name, *(key or '…' for key in keys)])}: {name}_info returns no {wrong}")
    return list(dict.fromkeys(lines))
