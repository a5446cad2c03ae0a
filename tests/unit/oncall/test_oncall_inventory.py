# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names are those of exactly one host, and which text Ansible reads as nothing but text."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from oncall import OncallError, execution, inventory

HOSTS = {
    "all": {
        "children": {
            "web": {"hosts": {"shop": {}, "shop-2.example.com": {}, "::1": {}, "web": {}, "a:b": {}, "x*": {}}}
        }
    }
}


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    file = tmp_path_factory.mktemp("inventory") / "hosts.json"
    file.write_text(json.dumps(HOSTS))
    return inventory.names([str(file)])


@pytest.mark.parametrize("host", ["shop", "shop-2.example.com", "::1"])
def test_a_host(known, host):
    assert inventory.exact(host, known) == host


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("all", "no host"),
        ("ungrouped", "no host"),
        ("sho", "did you mean shop"),
        ("sh*", "no host"),
        ("!shop", "no host"),
        ("@shop", "no host"),
        ("shop:web", "no host"),
        ("shop\n", "no host"),
        ("\0", "no host"),
        ("", "no host"),
        # Hosts that are there, and that a limit of this name would not hit, or not alone.
        ("web", "that of a group"),
        ("x*", "that of a pattern"),
        ("a:b", "that of a pattern"),
    ],
)
def test_no_host(known, host, says):
    with pytest.raises(OncallError, match=says) as raised:
        inventory.exact(host, known)
    assert "\n" not in str(raised.value)


def test_an_inventory_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "hosts.yml").write_text("all: [")
    with pytest.raises(OncallError, match="cannot read the inventory") as raised:
        inventory.names([str(tmp_path / "hosts.yml")])
    assert "\n" not in str(raised.value)


class Loader(yaml.SafeLoader):
    """YAML as Ansible reads it, as far as texts go."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


@given(st.text())
def test_any_text_is_read_back_as_it_was(text):
    # Half of a pair of surrogates is no text, and cannot be written.
    whole = text.encode("utf-8", "replace").decode()
    assert yaml.load(f"a: !unsafe {execution._quoted(text)}\n", Loader) == {"a": whole}
