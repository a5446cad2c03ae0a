# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a token or a session was refused, by the words in which libraries say it. Pure."""

from __future__ import annotations

from ..text.first_match import first_match
from ..text.masking import masked
from ..text.one_line import without_sequences

# What has none of these in it is about something else, and is not searched further.
_WORDS = (
    "token",
    "jwt",
    "jws",
    "idx10",
    "signature",
    "claim",
    "session",
    "audience",
    "issuer",
    '"kid"',
    "jwk",
    "signing key",
)
# As PyJWT, python-jose, Authlib, jsonwebtoken, jose, golang-jwt, go-oidc, ruby-jwt, Spring Security with Nimbus, .NET, Keycloak,
# Firebase and NextAuth say it. The most telling first: a signature cannot be checked without its key.
_KINDS = (
    (
        "unknown_key",
        r"unable to find (?:a )?(?:signing|matching)? ?key|no (?:applicable|matching) key|no key (?:found|with|for)"
        r"|unknown (?:kid|key id|signing key)"
        r"|(?:key|kid)\b.{0,80}\bnot (?:found|known)|(?:did ?n[o']t|could not|cannot) find (?:a |the )?(?:public ?key|signing key|key)\b"
        r"|no matching key\(?s?\)?|IDX1050[013]|error.{0,20}JWKSNoMatchingKey|public ?key .{0,40}\bkid\b.{0,40}\bnot\b"
        r"|does not correspond to a known public key",
    ),
    (
        "algorithm",
        r"\balg(?:orithm)?\b.{0,60}(?:not allowed|not supported|not permitted|is invalid)|invalid algorithm|unexpected signing method|IDX10511"
        r"|alg(?:orithm)?[\"']? (?:header )?(?:parameter )?(?:value )?not allowed|unsecured (?:jws|jwt)",
    ),
    (
        "signature",
        r"signature (?:verification|validation) (?:failed|raised)|(?:invalid|bad|wrong) (?:token )?signature|signature is invalid"
        r"|signature (?:did|does) not match|failed to verify (?:id token )?signature|JWSSignatureVerificationFailed|signature mismatch"
        r"|JWT_SESSION_ERROR|decryption operation failed|bad[_ ]?signature|IDX10504|IDX10508",
    ),
    (
        "not_yet_valid",
        r"not yet valid|not valid yet|not active\b|used before issued|used too early|jwt used before|before use time|before (?:the )?(?:nbf|iat)"
        r"|invalid iat\b|NotBeforeError|ImmatureSignature|IDX1022[12]|nbf[\"']? claim"
        r"|token issued in the future"
        r"|issued at.{0,30}future|clock skew|iat[\"']? claim timestamp",
    ),
    (
        "expired",
        r"(?:token|jwt|signature|session|access[_ ]token)\b.{0,20}\b(?:has |is |was )?expired|expired (?:token|jwt|session|signature)"
        r"|TokenExpired|ExpiredSignature|ExpiredJwt|token-expired|exp[\"']? claim timestamp|IDX10223|token is no longer valid",
    ),
    (
        "issuer",
        r"(?:invalid|wrong|incorrect|unexpected|unknown|untrusted) (?:token |claim:? )?[\"']?iss(?:uer)?\b"
        r"|\biss(?:uer)?[\"']? (?:claim )?(?:is )?(?:invalid|not valid|mismatch)"
        r"|issued by a different provider|issuer (?:did|does) not match|IDX10205|iss[\"']? claim is not valid",
    ),
    (
        "audience",
        r"(?:invalid|wrong|incorrect|unexpected) (?:token |claim:? )?[\"']?aud(?:ience)?\b"
        r"|\baud(?:ience)?[\"']? (?:claim )?(?:is )?(?:invalid|not valid|mismatch|not allowed)"
        r"|audience (?:did|does)(?: not|n't) match|expected audience|IDX10214|(?:doesn't|does not) contain .{0,20}audience",
    ),
    (
        "session",
        r"session (?:was |is )?(?:not found|unknown|invalid|gone|does not exist|could not be (?:found|loaded))|(?:invalid|unknown|no such) session"
        r"|(?:failed|unable) to (?:load|read|fetch|decode) (?:the )?session|session store",
    ),
    (
        "revoked",
        r"(?:token|session)\b.{0,20}\b(?:was |is |has been )?(?:revoked|blacklisted|deny-?listed)|revoked token",
    ),
    (
        "malformed",
        r"(?:jwt|token)\b.{0,20}\bmalformed|malformed (?:jwt|token)|not enough segments|invalid token format|IDX127\d\d|invalid compact"
        r"|cannot decode token"
        r"|invalid (?:header|payload) (?:string|padding)",
    ),
)
NAMES = tuple(name for name, _pattern in _KINDS)


def kind_of(text):
    """Of which kind a refusal is, or None where nothing says so."""
    small = text[:2000].lower()
    return first_match(_KINDS, text[:2000]) if any(word in small for word in _WORDS) else None


def counted(lines):
    """How many lines say of which kind, the most frequent first.

    Args:
        lines: of a log.

    Returns:
        Dicts ``kind``, ``count`` and ``last``: the last such line without secrets. A token in it is one.
    """
    found = {}
    for line in lines:
        kind = kind_of(line)
        if kind:
            one = found.setdefault(kind, {"kind": kind, "count": 0})
            one.update(count=one["count"] + 1, last=line)
    ordered = sorted(found.values(), key=lambda one: -one["count"])
    return [dict(one, last=masked(without_sequences(one["last"]), 200)) for one in ordered]
