# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of requests to AWS, against the examples that AWS publishes (its suite for version 4, and ListUsers in its guide)."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.net.sigv4 import signed

AT = datetime(2015, 8, 30, 12, 36, tzinfo=timezone.utc)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SUITE = "https://example.amazonaws.com/"


@pytest.mark.parametrize(
    ("url", "headers", "service", "signature"),
    [
        # get-vanilla
        (SUITE, {}, "service", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        # get-header-key-duplicate, get-header-value-trim
        (
            SUITE,
            {"My-Header1": "value2,value2,value1"},
            "service",
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        # get-vanilla-query-order-key-case
        (
            SUITE + "?Param2=value2&Param1=value1",
            {},
            "service",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
            {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
            "iam",
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
    ],
)
def test_the_examples_of_aws(url, headers, service, signature):
    found = signed("GET", url, headers, b"", AT, "us-east-1", service, "AKIDEXAMPLE", SECRET)
    assert found["authorization"].rpartition("=")[2] == signature
    assert found["x-amz-date"] == "20150830T123600Z"
    assert f"Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request" in found["authorization"]
    assert SECRET not in str(found)


def test_a_token_is_signed_too():
    given = {"x-amz-security-token": "AQoDYXdz"}
    found = signed("GET", SUITE, given, b"", AT, "us-east-1", "ses", "AKIDEXAMPLE", SECRET)
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token" in found["authorization"]
    assert found["x-amz-security-token"] == "AQoDYXdz"
