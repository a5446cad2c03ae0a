# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret in what a module returns, also where Ansible takes none out: ansible-core 2.22 registers real values."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ansible_collections.oncall.runbooks.tests.support.modules import COLLECTIONS

SECRET = "s3cret-8c1f"
# Ansible's own masking is off.
MODULE = """
import runpy, sys
from ansible.module_utils import basic
basic.remove_values = lambda value, secrets: value
runpy.run_module("ansible_collections.oncall.runbooks.plugins.modules." + sys.argv.pop(), run_name="__main__")
"""
# The driver quotes the name of the host, and so the secret. Our own words before it name the host as well.
HOST = f"{SECRET}.invalid"
URL = f"http://oncall:{SECRET}@{HOST}/"
REDIS = {"host": HOST, "password": SECRET}
DATABASE = {"host": HOST, "name": "shop", "user": "oncall", "password": SECRET}
WEBHOOK = {
    "url": URL,
    "provider_url": URL,
    "api_key": SECRET,
    "secrets": [SECRET],
    "event_types": ["a.b"],
    "statements": {"processed": "SELECT 1 AS id"},
}


@pytest.mark.parametrize(
    ("module", "params"),
    [
        ("api_info", {"apis": {"it": {"url": URL, "fields": {"a": "a"}}}}),
        ("status_page_info", {"pages": {"it": {"url": URL, "kind": "statuspage", "component": "a"}}}),
        ("webhook_info", {"webhook": WEBHOOK, "database": DATABASE}),
        ("redis_info", {"server": REDIS}),
        ("queue_info", {"queues": {"mail": {"engine": "rq", "redis": REDIS}}}),
        ("queue_info", {"queues": {"mail": {"engine": "pgboss"}}, "database": DATABASE}),
        ("postgres_access_info", {"database": DATABASE}),
        ("postgres_activity_info", {"database": DATABASE}),
        ("postgres_setting", {"database": DATABASE, "name": "work_mem", "value": "4MB"}),
        ("postgres_wal_info", {"database": DATABASE}),
    ],
)
def test_no_module_leans_on_the_masking_of_ansible(module, params, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", MODULE, module],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {**params, "_ansible_remote_tmp": str(tmp_path)}}),
        env=dict(os.environ, PYTHONPATH=str(COLLECTIONS)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    result = json.loads(done.stdout)
    result.pop("invocation", None)
    said = str(result).replace(f" at {HOST}", "")
    assert SECRET not in said
    assert "********.invalid" in said, "nothing was quoted, so nothing is proved"
