# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that the expressions of one table use, each worked out once, on first use.

Jinja works a variable out again wherever it stands, so that names built on names cost the product of their depth.
Here a name is worked out when the first expression uses it, and is plain data from then on.

A name is one of these, and the first that fits counts:

- an observation, under the observer's own name (``postgres_activity``);
- a name of the table: a template of ``<runbook>_names``, or a function of ``readings/<runbook>.py``, whose parameters
  are names as well;
- a variable of the host, worked out as the inventory means it: what a table calls ``port`` never gets into it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

from .judge import CannotTell

_IDENTIFIER = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_REASONS = "__reasons_of_names"
# Both raise a reason, which is data, as the expression did: what is undefined can have a default, what is wrong cannot.
_UNDEFINED = "{{ undef(hint=" + _REASONS + "[%d]) }}"
_WRONG = "{{ __name_that_is_nowhere | ansible.builtin.mandatory(" + _REASONS + "[%d]) }}"
# What every variable is in, and what would cost a look at every host.
_NOT_WORKED_OUT = {"vars", "hostvars"}


def identifiers_in(value: Any) -> Iterator[str]:
    """Each word in the texts of a value that may be a name."""
    if isinstance(value, str):
        yield from _IDENTIFIER.findall(value)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from identifiers_in(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from identifiers_in(one)


def _used_in(value: Any) -> set[str]:
    """The identifiers outside of quotes: what is in them is a key or a word."""
    if isinstance(value, str):
        return set(_IDENTIFIER.findall(_QUOTED.sub("''", value)))
    many = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return {name for one in many for name in _used_in(one)}


def functions_of(module_name: str) -> dict[str, Callable[..., Any]]:
    """The readings of a module: its public functions, by name; none where there is no such module."""
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        return {}
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module_name and not name.startswith("_")
    }


def owned_by(runbook: str) -> Callable[[str], bool]:
    """Whether a variable is one of a runbook, or of what all runbooks have in common."""
    prefixes = (f"{runbook}_", f"__{runbook}_", "system_", "run_")
    return lambda name: name.startswith(prefixes)


class Settled:
    """Variables of a host, of which this collection's own are worked out once, on first use, and are plain data from then on.

    What cannot be worked out stays as it is, so that it fails where it is used. Variables of others are left alone: one may take a
    while, and stand where it is not used.

    Args:
        variables: not worked out.
        render: gives the value of a template in the given variables; what it raises says that there is none.
        is_own: whether a name is this collection's.
    """

    def __init__(
        self,
        variables: Mapping[str, Any],
        render: Callable[[Any, Mapping[str, Any]], Any],
        is_own: Callable[[str], bool],
    ) -> None:
        self.scope = dict(variables)
        self._variables, self._render, self._is_own = variables, render, is_own
        self._done = set(_NOT_WORKED_OUT)
        # What each that was worked out is made of, through all names.
        self._made_of: dict[str, set[str]] = {}

    def scope_of(self, value: Any) -> dict[str, Any]:
        """The variables in which a value can be rendered."""
        for name in identifiers_in(value):
            self._settle(name)
        return self.scope

    def changed(self, name: str) -> None:
        """A variable has another value: what is made of it is worked out anew."""
        for other in [other for other, names in self._made_of.items() if name in names]:
            del self._made_of[other]
            self._done.discard(other)
            self.scope[other] = self._variables[other]
        self.scope[name] = self._variables[name]

    def _settle(self, name: str) -> None:
        if name in self._done or name not in self.scope or not self._is_own(name):
            return
        # Before its value: one that uses itself has none.
        self._done.add(name)
        value = self.scope[name]
        if isinstance(value, (str, list, tuple, dict)):
            used = set(identifiers_in(value))
            scope = self.scope_of(value)
            self._made_of[name] = used.union(*(self._made_of.get(one, ()) for one in used), {name})
            with suppress(Exception):
                self.scope[name] = self._render(value, scope)


class Names:
    """What the expressions of a table see.

    Args:
        table: templates by name.
        readings: functions by name.
        observed: what the observers returned, by observer.
        observers: all observers there are. Where an observer was not asked its name is undefined, whatever the host calls so.
        variables: of the host, not worked out.
        render: gives the value of a template in the given variables, or raises :class:`CannotTell`.
        trusted: makes a template of this file's own text.
        cast: gives a variable the type that it is declared with.
        renamed: gives the expression that an earlier version's name stands for, or "".
        settled: the same variables, some of which are worked out.
    """

    def __init__(
        self,
        table: Mapping[str, Any],
        readings: Mapping[str, Callable[..., Any]],
        observed: Mapping[str, Any],
        observers: set[str],
        variables: Mapping[str, Any],
        render: Callable[[Any, Mapping[str, Any]], Any],
        trusted: Callable[[str], str],
        cast: Callable[[str, Any], Any],
        renamed: Callable[[str], str],
        settled: Settled | None = None,
    ) -> None:
        self._settled = settled or Settled(variables, render, lambda name: False)
        self._table, self._readings, self._observers = table, readings, observers | set(observed)
        self._variables, self._render, self._trusted = variables, render, trusted
        self._cast, self._renamed = cast, renamed
        hidden = observers | set(table) | set(readings)
        self.scope: dict[str, Any] = {name: value for name, value in variables.items() if name not in hidden}
        self.scope.update(observed)
        self._reasons: list[str] = []
        self.scope[_REASONS] = self._reasons
        self._failures: dict[str, CannotTell] = {}
        self._done = {_REASONS, *_NOT_WORKED_OUT, *observers, *observed}

    def scope_of(self, value: Any) -> dict[str, Any]:
        """The variables in which a value can be rendered: each name that it uses is worked out."""
        for name in identifiers_in(value):
            self._settle(name)
        return self.scope

    def observations_behind(self, value: Any) -> list[str]:
        """The observers that a value comes from, asked or not, through all the names that it uses."""
        found: dict[str, None] = {}
        done: set[str] = set()
        pending = _used_in(value)
        while pending:
            name = pending.pop()
            done.add(name)
            if name in self._observers:
                found[name] = None
            elif name in self._readings:
                pending |= set(inspect.signature(self._readings[name]).parameters) - done
            else:
                pending |= _used_in(self._table.get(name)) - done
        return sorted(found)

    def _settle(self, name: str) -> None:
        if name in self._done:
            return
        # Before its value: a name that uses itself is undefined there.
        self._done.add(name)
        try:
            if name in self._readings:
                self.scope[name] = self._read(self._readings[name])
            elif name in self._table:
                self.scope[name] = self._render(self._table[name], self.scope_of(self._table[name]))
            elif name in self._variables:
                value = self._variables[name]
                if isinstance(value, (str, list, tuple, dict)):
                    self.scope[name] = self._cast(name, self._render(value, self._settled.scope_of(value)))
            elif expression := self._renamed(name):
                template = self._trusted("{{ " + expression + " }}")
                self.scope[name] = self._render(template, self.scope_of(template))
        except CannotTell as failure:
            self._failures[name] = failure
            self._reasons.append(str(failure))
            template = _UNDEFINED if failure.undefined else _WRONG
            self.scope[name] = self._trusted(template % (len(self._reasons) - 1))

    def _read(self, function: Callable[..., Any]) -> Any:
        given: dict[str, Any] = {}
        for name, parameter in inspect.signature(function).parameters.items():
            self._settle(name)
            if name in self._failures:
                if parameter.default is parameter.empty:
                    raise self._failures[name]
            elif name in self.scope:
                given[name] = self.scope[name]
            elif parameter.default is parameter.empty:
                raise CannotTell(f"'{name}' is undefined", undefined=True)
        try:
            return function(**given)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise CannotTell(f"{function.__name__} could not be worked out: {type(error).__name__}: {error}") from error
