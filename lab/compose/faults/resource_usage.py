# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and processor time that run out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from lab.compose.target import Fault, Target
from lab.rights import right

MIB = 1024 * 1024
PLATEAU_MB = 400
CORES = 0.2
BURNING_RATIO = 0.9


def _used(target: Target) -> float:
    """Memory of the API's container, as its share of the limit."""
    told = json.loads(target.docker("stats", "--no-stream", "--format", "{{json .}}", target.container("api")["Id"]))
    return float(told["MemPerc"].rstrip("%")) / 100


def _leak(target: Target) -> None:
    # A limit near what it uses, so that nobody has to wait until hundreds of megabytes have leaked.
    limit = str(round(_used(target) * 512 * MIB / 0.55))
    target.docker("update", "--memory", limit, "--memory-swap", limit, target.container("api")["Id"])
    target.begin("memory?mb_per_second=1")


def _at_least(ratio: float) -> Callable[[Target], tuple[bool, str]]:
    def there(target: Target) -> tuple[bool, str]:
        used = _used(target)
        return used >= ratio, f"api uses {used:.0%} of its memory limit"

    return there


def _burns(target: Target) -> tuple[bool, str]:
    told = json.loads(target.docker("stats", "--no-stream", "--format", "{{json .}}", target.container("api")["Id"]))
    percent = float(re.sub(r"[^0-9.]", "", told["CPUPerc"]))
    return percent >= 100 * CORES * BURNING_RATIO, f"api uses {percent:.0f} % of a processor"


def _burn(target: Target) -> None:
    # A share that every machine has to give.
    target.docker("update", "--cpus", str(CORES), target.container("api")["Id"])
    target.begin("cpu?processes=2")


FAULTS = {
    # A restart brings it back to 55 %.
    "memory_leak": Fault(
        "the API keeps what it should let go, 1 MB a second, and is above 60 % of its limit",
        _leak,
        _at_least(0.6),
        rights={"resource_usage": right("memory_leak", "restart_service")},
    ),
    "memory_plateau": Fault(
        "the API needs almost all of its memory limit, and no more",
        lambda target: target.begin(f"memory?mb_per_second=1600&until_mb={PLATEAU_MB}"),
        _at_least(0.86),
        rights={"resource_usage": right("memory_plateau", "raise_memory_limit")},
    ),
    "cpu_burn": Fault(
        "the API's container uses all the processor time it may have",
        _burn,
        _burns,
        rights={
            "resource_usage": right("cpu_saturated", "restart_service"),
            "latency": right(remedies="scale_out", also="saturation", healthy=True),
        },
    ),
}
