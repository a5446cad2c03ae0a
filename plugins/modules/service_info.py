#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of services, whatever manages them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_info
short_description: Read what services do at the moment
version_added: "0.1.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Reads state, last exit, age, memory, processor time and the errors in the log of services, whatever manages
    them.
  - A service that cannot be observed has RV(ignore:services.available=false) and a reason; the module fails only
    on services that are not described in a usable way.
extends_documentation_fragment:
  - oncall.runbooks.service
  - oncall.runbooks.service.attributes
attributes:
  check_mode:
    support: full
    details: It changes nothing.
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Read the state of the API
  oncall.runbooks.service_info:
    services:
      api:
        manager: supervisor
        name: api
        config: /etc/supervisor/supervisord.conf
      worker:
        manager: compose
        project: /srv/shop
      hosted:
        manager: command
        commands:
          status: [platform, status, --app, web]
  register: result

- name: Say what keeps it from running
  ansible.builtin.debug:
    msg: "{{ result.services.api.state }}, exit code {{ result.services.api.exit_code }}"
"""

RETURN = r"""
available:
  description: Whether at least one service could be observed.
  returned: always
  type: bool
reason:
  description: Why no service could be observed, in one line.
  returned: when available is false
  type: str
services:
  description: What was observed, by the names in O(services). A value that is not known is null.
  returned: always
  type: dict
  contains:
    available:
      description: Whether this service could be observed. If not, only RV(ignore:reason) and RV(ignore:manager) follow.
      type: bool
    reason:
      description: Why it could not be observed, or has no container, and what to do, in one line.
      type: str
    manager:
      description: The manager it was observed through.
      type: str
      sample: supervisor
    state:
      description:
        - With C(docker) and C(compose), V(running), V(restarting), V(paused), V(exited), V(dead), V(created),
          V(removing), or V(absent) where there is no container; RV(ignore:reason) then says what was looked for.
        - With the others one of V(running), V(stopped), V(starting), V(backoff), V(exited), V(fatal) and V(unknown).
          V(backoff) is between two attempts to start, V(fatal) after the last one. A service that is being stopped
          is V(stopped).
        - A unit of systemd that is active only because it started something once, such as Debian's C(postgresql.service), is as well
          as the units that are C(PartOf) it. Without such units it is V(unknown), and RV(ignore:reason) says so.
        - Of several containers, the values here are those of the container that is worst off; memory is that of the one
          nearest its limit, processor time that of the busiest, errors are those of all logs.
      type: str
      sample: running
    health:
      description: What its own health check says, V(healthy), V(unhealthy), V(starting), or V(none) without one.
      type: str
      sample: healthy
    health_output:
      description: The last line that the health check printed.
      type: str
    health_failing_streak:
      description: How often the health check has failed in a row.
      type: int
    containers:
      description: With C(docker) and C(compose), the same for every container, with its name as C(container).
      type: list
      elements: dict
    replicas:
      description: How many containers there are.
      type: int
      sample: 1
    replicas_running:
      description: How many of them run.
      type: int
      sample: 1
    members:
      description:
        - Each program of a group of supervisor (C(name) is C(group:*), such as of C(numprocs)), and each unit of one of systemd that
          only stands for others, with its C(name). State and exit are those of the one that is worst off.
      type: list
      elements: dict
      sample: []
    weakest:
      description: Where there are several, the name of the container, program or unit that is worst off.
      type: str
      sample: shop-api-2
    left_over:
      description: The names of containers that an interrupted recreate of Compose left behind. They are not looked at.
      type: list
      elements: str
      sample: [8e4ed551c6dd_shop-api-1]
    container:
      description: The name of its container.
      type: str
      sample: shop-api-1
    project_name:
      description: The name of its project, with C(compose).
      type: str
      sample: shop
    image:
      description: The image of its container, as it was named.
      type: str
    pid:
      description: The process, while there is one.
      type: int
      sample: 4711
    exit_code:
      description:
        - The exit code of its last end, while it does not run. Of a container that runs again after an automatic
          restart, too, if the engine remembers.
      type: int
      sample: 137
    signal:
      description: The signal that ended it.
      type: str
      sample: SIGKILL
    exit_meaning:
      description: Exit code and signal in words.
      type: str
      sample: "137 = 128 + 9, SIGKILL: killed by the kernel: it was out of memory"
    error:
      description: Why the manager could not start it, such as a port that is taken.
      type: str
    oom_killed:
      description:
        - Whether the kernel killed one of its processes for lack of memory, as the engine, the cgroup or the kernel's
          log says. Null where SIGKILL ended it, nobody is known to have sent it, and that log does not reach back or
          cannot be read.
      type: bool
      sample: true
    oom_kills:
      description: How many processes the kernel killed for lack of memory since it was started.
      type: int
      sample: 0
    restarts:
      description:
        - How often the manager has restarted it by itself, with Docker since a person started it, with supervisor as far back as the
          last 64 KiB of its log tell, and null of a program that has run for an hour.
      type: int
      sample: 12
    restarts_per_hour:
      description:
        - How often in the last hour, at least. The engine remembers its last 256 events, of all containers together.
      type: int
      sample: 12
    restart_times:
      description: When, in seconds since 1970, as far as the engine remembers the last hour.
      type: list
      elements: float
    restart_policy:
      description: When the manager restarts it by itself, in its own word.
      type: str
      sample: unless-stopped
    stopped_by_person:
      description:
        - Whether somebody, or a tool for somebody, stopped it. Null where that is not known.
        - For a container, whether the engine remembers a C(docker stop) or C(docker kill) before its end. If it has
          forgotten, V(true) where its restart policy would have brought it back; otherwise null after the exit codes 0,
          130, 137 and 143, which a stop leaves behind as well, and V(false) after others.
      type: bool
      sample: false
    started_at_seconds:
      description: When it was started last, in seconds since 1970.
      type: float
      sample: 1767225600
    finished_at_seconds:
      description: When it ended last, in seconds since 1970.
      type: float
    uptime_seconds:
      description: How long the process has lived, in seconds.
      type: float
      sample: 3600
    shared_memory_bytes:
      description: The size of the C(/dev/shm) of its container, with C(docker) and C(compose). Only root on the host of the engine sees it.
      type: int
    shared_memory_used_bytes:
      description: How much of that is used.
      type: int
    memory_limit_bytes:
      description: The limit in bytes that the manager enforces, or that the inventory names for a program of supervisor.
      type: int
      sample: 536870912
    memory_swap_limit_bytes:
      description: The limit of memory and swap together, V(-1) for none.
      type: int
    memory_used_bytes:
      description:
        - The memory that counts against the limit, without the page cache that the kernel gives back at once, as
          C(docker stats) shows it. Of a process tree the same as RV(ignore:rss_bytes).
      type: int
      sample: 471859200
    memory_ratio:
      description: The memory used, of the limit.
      type: float
      sample: 0.8789
    memory_kept_ratio:
      description:
        - The same without what the last reading may have for a moment only, such as the process of a health check. It takes a
          window with three readings or more to tell; with fewer it is RV(ignore:memory_ratio).
      type: float
      version_added: "0.2.0"
      sample: 0.8513
    rss_bytes:
      description:
        - The anonymous memory of a container. With supervisor, the resident memory of the process and its descendants;
          what they share counts for each of them.
      type: int
      sample: 104857600
    cpu_seconds:
      description: The processor time in seconds of the container, or of the process tree with its ended processes.
      type: float
      sample: 12.5
    cpu_limit_cores:
      description: How many cores it may use.
      type: float
      sample: 1.5
    window_seconds:
      description: The time between the first and the last reading of one life, where there is a window.
      type: float
    cpu_cores:
      description: How many cores it kept busy over the window.
      type: float
      sample: 0.42
    cpu_ratio:
      description: The same, of its limit, or of all cores where it has none.
      type: float
      sample: 0.28
    memory_slope_bytes_per_second:
      description: How fast its memory grew over the window, by least squares.
      type: int
      sample: 1048576
    growth:
      description:
        - V(growing) where memory grew by more than 256 KiB and 0.2 % over the window, and in both halves of it by at least
          a quarter of that. V(flat) otherwise, so also for a cache that filled up. V(unknown) with fewer than three
          readings of one life.
      type: str
      sample: flat
    seconds_to_limit:
      description: When it reaches its limit at that rate. Null where it does not grow, or has none.
      type: float
    top_processes:
      description: Its processes with the most memory. Null without O(top_processes).
      type: list
      elements: dict
      contains:
        pid:
          description: Its number.
          type: int
        command:
          description: The program, and the script or module that it runs; no other arguments.
          type: str
        rss_bytes:
          description: Its resident memory.
          type: int
        cpu_seconds:
          description: Its processor time.
          type: float
    ports:
      description: Its ports, published and not.
      type: list
      elements: dict
      contains:
        container_port:
          description: The port in the container.
          type: int
        protocol:
          description: Its protocol.
          type: str
        host_address:
          description: The address it is published on.
          type: str
        host_port:
          description: The port it is published as.
          type: int
        host_port_fixed:
          description: Whether it was asked for by number, so that only one replica can have it.
          type: bool
    depends_on:
      description: With C(compose), what it needs, as its container says. Null where that does not say.
      type: list
      elements: dict
      contains:
        service:
          description: The service in the Compose file.
          type: str
        condition:
          description: What has to be true of it, such as V(service_healthy).
          type: str
        state:
          description: Its state now.
          type: str
        health:
          description: Its health now, null without a health check.
          type: str
    log_path:
      description: The file that the engine keeps its log in.
      type: str
    log_bytes:
      description: Its size. Usually only root can see it.
      type: int
    log_tail_errors:
      description: The errors in the end of its logs, the most frequent first. Null where no log could be read.
      type: list
      elements: dict
      contains:
        count:
          description: How many lines.
          type: int
        line:
          description: What they have in common; C(<time>), C(<id>) and C(#) stand for what differs.
          type: str
        last:
          description: The most recent of them. Passwords in URLs and values after such words are replaced.
          type: str
    variables:
      description:
        - Those of O(variables) that are in the environment with which it was started; of several containers or programs, those that
          all have.
        - Null where none is asked for, and where its environment cannot be seen.
      type: list
      elements: str
      sample: [PG_POOL_MAX]
    numbers:
      description:
        - Those of O(numbers) that are in that environment and are a number; of several containers or programs, those that are the same
          in all.
        - Null where none is asked for, and where its environment cannot be seen.
      type: dict
      version_added: "0.2.0"
      sample: {BREAKER_THRESHOLD: 50.0}
    compared:
      description:
        - For each variable of O(compared) in the environment with which it was started, the name of the value that it has, or an empty
          text where it has another one. Of several containers or programs, only those whose value is the same in all of them.
        - Null where none is asked for, and where its environment cannot be seen.
      type: dict
      sample: {MAIL_PROVIDER: first}
    log_tail:
      description: The last lines of its logs, with secrets replaced. Null without O(log_tail_lines).
      type: list
      elements: str
    log_reason:
      description: Why no log could be read.
      returned: when log_tail_errors is null
      type: str
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import service


def main():
    """Run the module."""
    run(service)


if __name__ == "__main__":
    main()
