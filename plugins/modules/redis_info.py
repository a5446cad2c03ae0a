#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the health of a Redis server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_info
version_added: 0.1.0
short_description: Look at the health of a Redis server
description:
  - Whether it answers and takes writes, how full it is, how many lookups find something, and whether it can save its data.
  - Unlike M(community.general.redis_info) it says why a server cannot be asked instead of failing, compares two looks, and can
    ask through a container.
  - It sends C(PING) and C(INFO) and nothing else.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.redis
requirements:
  - redis (redis-py) for O(server.transport=redis); the docker command for O(server.transport=docker)
"""

EXAMPLES = r"""
- name: Is the cache full, and is it any use
  oncall.runbooks.redis_info:
    server: {host: 10.0.0.6, password: "{{ vault_redis_password }}"}
    window_seconds: 5
  register: cache

- name: The same through the container
  oncall.runbooks.redis_info:
    server: {transport: docker, container: labpics-redis-1}
"""

RETURN = r"""
available:
  description: Whether it answered about itself. If not, only RV(reason) and RV(error) come with it.
  type: bool
  returned: always
reason:
  description: What was tried, on what, what came back and what to do next, in one line.
  type: str
  returned: when RV(error) is not empty
error:
  description:
    - What is wrong with it, or empty. While RV(available) it can be C(loading), C(misconf) (it cannot save its data and
      refuses writes), C(out_of_memory) (full, and refuses writes), C(read_only) (a replica), C(primary_down) (a replica
      that lost its primary), C(no_replicas) (refuses writes for want of replicas), C(clients_paused) (writes wait, as after
      C(CLIENT PAUSE)) or C(not_allowed).
    - Otherwise it is one of C(refused), C(closed), C(timeout), C(clients_paused) (it holds all answers back), C(loading),
      C(credentials), C(busy) (with a script), C(too_many_clients), C(name_resolution), C(protocol), C(not_allowed), C(no_engine), C(no_driver) and C(other).
  type: str
  returned: always
ping_seconds:
  description: The time of one C(PING). Null through a container, where most of it would be that of starting C(redis-cli).
  type: float
  returned: when available
version:
  description: Version of the server.
  type: str
  returned: when available
mode:
  description: C(standalone), C(cluster) or C(sentinel).
  type: str
  returned: when available
uptime_seconds:
  description: Time since its start. A cache is cold after it.
  type: int
  returned: when available
keys:
  description: Keys in the database asked about, as C(DBSIZE) counts them.
  type: int
  returned: when available
used_memory_bytes:
  description: Memory that counts against RV(maxmemory_bytes).
  type: int
  returned: when available
rss_bytes:
  description: Memory of the process.
  type: int
  returned: when available
maxmemory_bytes:
  description: The limit, V(0) for none.
  type: int
  returned: when available
memory_ratio:
  description: Used memory over the limit. Null without a limit.
  type: float
  returned: when available
maxmemory_policy:
  description: What it does when the limit is reached. With C(noeviction) it refuses writes.
  type: str
  returned: when available
fragmentation_ratio:
  description: Memory of the process over used memory.
  type: float
  returned: when available
connected_clients:
  description: Connections.
  type: int
  returned: when available
blocked_clients:
  description: Connections that wait in a blocking command.
  type: int
  returned: when available
maxclients:
  description: Connections it allows.
  type: int
  returned: when available
evicted_keys:
  description: Keys evicted since its start, because the limit was reached.
  type: int
  returned: when available
expired_keys:
  description: Keys that expired since its start.
  type: int
  returned: when available
keyspace_hits:
  description: Lookups since its start that found a key.
  type: int
  returned: when available
keyspace_misses:
  description: Lookups since its start that found none.
  type: int
  returned: when available
rejected_connections:
  description: Connections refused since its start, because there were RV(maxclients).
  type: int
  returned: when available
loading:
  description: Whether it reads its data and answers nothing else yet.
  type: bool
  returned: when available
loading_eta_seconds:
  description: How long that will take, as it thinks. Null while it does not.
  type: int
  returned: when available
rdb_last_bgsave_status:
  description: C(ok) or C(err), of the last time it saved its data.
  type: str
  returned: when available
rdb_changes_since_last_save:
  description: Changes that would be lost with the process.
  type: int
  returned: when available
aof_enabled:
  description: Whether it writes an append-only file.
  type: bool
  returned: when available
aof_last_write_status:
  description: C(ok) or C(err), of the last write to that file.
  type: str
  returned: when available
role:
  description: C(master) or C(slave), in the server's own words.
  type: str
  returned: when available
replica_read_only:
  description: Whether it refuses writes as a replica. Null for a primary.
  type: bool
  returned: when available
master_link_status:
  description: C(up) or C(down), of a replica.
  type: str
  returned: when available
connected_replicas:
  description: Replicas of this one.
  type: int
  returned: when available
good_replicas:
  description: Replicas that keep up. Null where writes need none (C(min-replicas-to-write)).
  type: int
  returned: when available
cluster_enabled:
  description: Whether it is a node of a cluster.
  type: bool
  returned: when available
cluster_state:
  description: C(ok) or C(fail), of a node of a cluster. Null where its user may not ask (C(+cluster|info)).
  type: str
  returned: when available
window:
  description:
    - What happened between the two looks. C(seconds), C(lookups), C(hit_ratio) (null without lookups),
      C(evicted_keys_per_second), C(rejected_connections_per_second), C(commands_per_second) and C(no_replicas_errors) (writes
      refused for want of replicas), and C(refused), the refused commands by code, such as C(OOM), C(CLUSTERDOWN) or C(WRONGPASS)
      (null before 6.2).
  type: dict
  returned: when available and O(window_seconds) is above 0
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import redis


def main():
    """Run the module."""
    run(redis)


if __name__ == "__main__":
    main()
