# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab``: the lab's commands."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable

try:
    from .base import BaseLab
    from .compose import engine
    from .compose.stack import ComposeLab
    from .embedded.stack import Lab
    from .layout import LabError
    from .shape import names
except ModuleNotFoundError as error:
    sys.exit(f"python -m lab: {sys.executable} has no {error.name}; make setup, then: source .venv/bin/activate")

# How `engine` ends where there is no Docker and REQUIRE_DOCKER does not ask for it.
WITHOUT_DOCKER = 3


def _lab(compose: bool, system: str) -> BaseLab:
    """The lab of LAB_HOME, of the kind it was made as; otherwise of the kind that is wanted."""
    lab = Lab(say=_say, system=system)
    if compose and system:
        raise LabError("a system's shape is taken by the embedded lab only; leave out --compose")
    if compose or (lab.layout.exists() and lab.layout.kind == "compose"):
        return ComposeLab(say=_say)
    return lab


def _say(line: str) -> None:
    print(line, flush=True)


def _up(lab: BaseLab, options: argparse.Namespace) -> int:
    lab.up()
    return 0


def _down(lab: BaseLab, options: argparse.Namespace) -> int:
    lab.down(purge=options.purge)
    return 0


def _status(lab: BaseLab, options: argparse.Namespace) -> int:
    status = lab.status()
    if options.json:
        print(json.dumps(status, indent=2))
        return 0 if status["up"] else 1
    print(f"{'up' if status['up'] else 'not up'}: {status['home']}")
    for name, service in status["services"].items():
        where = f"container {service['container']}" if service.get("container") else f"pid {service['pid'] or '-'}"
        print(f"  {name:<10}{service['state']:<10}port {service['port'] or '-':<8}{where}")
    if status["up"]:
        if "pool" in status:
            numbers = ", ".join(f"{name} {value}" for name, value in status["pool"].items())
            print(f"  pool      {numbers or status.get('pool_error')}")
        print(f"  faults    {', '.join(status['faults']) or 'none'}")
    return 0 if status["up"] else 1


def _inject(lab: BaseLab, options: argparse.Namespace) -> int:
    print(f"{options.fault} is there; {lab.inject(options.fault)}")
    return 0


def _heal(lab: BaseLab, options: argparse.Namespace) -> int:
    if options.all == bool(options.fault):
        raise LabError(f"heal what? Name a fault or give --all; the known ones are {', '.join(lab.faults)}")
    if options.all:
        print(f"healed: {', '.join(lab.heal_all()) or 'nothing was injected'}")
    else:
        print(f"{options.fault} {'is healed' if lab.heal(options.fault) else 'was not injected'}")
    return 0


def _there(lab: BaseLab, options: argparse.Namespace) -> int:
    is_there, seen = lab.there(options.fault)
    print(json.dumps({"there": is_there, "seen": seen}) if options.json else seen)
    return 0 if options.json or is_there else 1


def _faults(lab: BaseLab, options: argparse.Namespace) -> int:
    for runbook, faults in lab.faults_by_runbook.items():
        for name, fault in faults.items():
            print(f"{runbook:<16}{name:<28}{fault.summary}")
    return 0


def _env(lab: BaseLab, options: argparse.Namespace) -> int:
    values = lab.environment()
    if options.json:
        print(json.dumps(values, indent=2))
    else:
        print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items()))
    return 0


def _engine(lab: BaseLab, options: argparse.Namespace) -> int:
    try:
        found = engine.ensure(_say)
    except engine.NoDocker as error:
        if engine.required():
            raise
        _say(f"lab: {error}")
        return WITHOUT_DOCKER
    _say(f"Docker {found.engine} answers, with Compose {found.compose}")
    return 0


COMMANDS: dict[str, tuple[str, Callable[[BaseLab, argparse.Namespace], int]]] = {
    "up": ("start the stack and wait until it works", _up),
    "status": ("show services, pool and active faults; ends with 1 when the lab is not up", _status),
    "inject": ("break it, and return when that was measured", _inject),
    "there": ("measure whether a fault is there now; ends with 1 when it is not", _there),
    "heal": ("mend it", _heal),
    "faults": ("list the faults, by the runbook that they are for", _faults),
    "env": ("print ports and paths for a shell", _env),
    "down": ("stop everything", _down),
    "engine": ("find Docker, or install it where that may be done; ends with 3 without", _engine),
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lab", description="A real stack that can be broken for real.")
    commands = parser.add_subparsers(dest="command", required=True)
    parsers = {name: commands.add_parser(name, help=text) for name, (text, _) in COMMANDS.items()}
    for name in ("status", "env", "there"):
        parsers[name].add_argument("--json", action="store_true")
    for name in ("up", "faults"):
        parsers[name].add_argument("--compose", action="store_true", help="in containers, with Docker Compose")
    parsers["up"].add_argument(
        "--system", default="", metavar="NAME", help=f"in the shape of one of inventories: {', '.join(names())}"
    )
    for name in ("inject", "there"):
        parsers[name].add_argument("fault")
    parsers["heal"].add_argument("fault", nargs="?")
    parsers["heal"].add_argument("--all", action="store_true")
    parsers["down"].add_argument("--purge", action="store_true", help="remove the state folder as well")
    options = parser.parse_args(argv)
    try:
        return COMMANDS[options.command][1](
            _lab(getattr(options, "compose", False), getattr(options, "system", "")), options
        )
    except (LabError, OSError, subprocess.SubprocessError) as error:
        print(f"lab: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
