# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a token and the keys of an identity provider say, out of what the observer ``auth`` fetched.

Here and not on the managed host: checking a signature takes a library (PyJWT) that hosts do not have. The token itself and the keys go no
further.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from ...module_utils.auth.spec import checked
from ...module_utils.net.documents import unpacked
from ...module_utils.text.masking import masked
from .values import NotReadable, document_of

NOTHING: dict[str, Any] = {
    "complete": False,
    "now_seconds": None,
    "login": None,
    "token": None,
    "discovery": None,
    "published": None,
    "requests": {"available": False, "reason": "nothing was looked at", "limits": []},
    "token_errors": {"available": False, "reason": "nothing was looked at", "kinds": [], "limits": []},
    "limits": [],
}
MISSING = (
    "the Python library PyJWT is not installed on the controller, for the Python that runs Ansible; "
    "it is in requirements/run.txt: pip install PyJWT"
)
# Those with a public key. With a shared secret nobody but the application can tell, and without any a token is worth nothing.
_SIGNED = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES256K", "ES384", "ES512", "EdDSA")
_SHARED = ("HS256", "HS384", "HS512")
# Parts of a key that only its owner may have (RFC 7518).
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_MOST_SHOWN = 20
_WORD_CHARACTERS = 100
_ONLY_THE_SIGNATURE = {
    "verify_signature": True,
    **dict.fromkeys(
        ("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss", "verify_sub", "verify_jti"), False
    ),
}


def why_not(params: Mapping[str, Any]) -> str:
    """Nothing: without the library the token alone is not read.

    Raises:
        ValueError: the inventory cannot be used.
    """
    checked(params["auth"])
    return ""


def finish(params: Mapping[str, Any], fetched: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of the observer.

    Args:
        params: of the observer.
        fetched: what it fetched; a token and keys go no further.
    """
    auth = checked(params["auth"])
    issuer = fetched["issuer"] or {"discovery": None, "keys": None}
    keys, read = _keys(issuer["keys"]) if issuer["keys"] else (None, None)
    discovery = issuer["discovery"] and _discovery(issuer["discovery"], auth["issuer"])
    text = unpacked(fetched["token"]).decode("utf-8", "replace") if fetched["token"] else ""
    token = token_told(text, read, auth, fetched["now_seconds"]) if text else None
    found = {
        "now_seconds": fetched["now_seconds"],
        "login": fetched["login"],
        "token": token,
        "discovery": discovery,
        "published": keys,
        "requests": fetched["requests"],
        "token_errors": fetched["token_errors"],
    }
    limits = [
        *([fetched["login"]["reason"]] if fetched["login"] and fetched["login"]["state"] == "not_probed" else []),
        *([token["reason"]] if token and token["reason"] else []),
        *(
            text
            for part in (discovery, keys)
            for text in ([part["reason"]] if part and not part["available"] else part["limits"] if part else [])
        ),
        *(
            text
            for name in ("requests", "token_errors")
            for text in (
                *([] if fetched[name]["available"] else [fetched[name]["reason"]]),
                *fetched[name]["limits"],
            )
        ),
    ]
    limits = list(dict.fromkeys(limits))
    is_seen = [
        bool(fetched["login"] and fetched["login"]["probed"]),
        bool(keys and keys["available"]),
        bool(discovery and discovery["available"]),
        fetched["requests"]["available"],
    ]
    answer = {"available": any(is_seen), "complete": not limits, "limits": limits, **found}
    return answer if any(is_seen) else {**answer, "reason": (limits or ["system_auth names nothing to look at"])[0]}


def _discovery(found: Mapping[str, Any], issuer: str) -> dict[str, Any]:
    told = {key: value for key, value in found.items() if key not in ("issuer", "jwks_uri")}
    told.update(issuer=None, issuer_right=None, limits=[])
    if not found["available"]:
        return told
    # Byte for byte, as a library compares it with what is in a token.
    return {**told, "issuer": masked(found["issuer"], _WORD_CHARACTERS), "issuer_right": found["issuer"] == issuer}


def _keys(found: Mapping[str, Any]) -> tuple[dict[str, Any], list[Mapping[str, Any]] | None]:
    """What may be told of the keys, and the keys; None where there are none to be read."""
    told = {key: value for key, value in found.items() if key != "document"}
    told.update(count=None, kids=[], private=[], not_read=0, limits=[])
    if not found["available"]:
        return told, None
    try:
        document = document_of(found["document"])
        listed = document.get("keys") if isinstance(document, Mapping) else None
        if not isinstance(listed, list):
            raise NotReadable("the answer has no list of keys")
    except NotReadable as error:
        return {**told, "available": False, "error": "bad_json", "reason": f"the keys of the issuer: {error}"}, None
    keys = [one for one in listed if isinstance(one, Mapping) and isinstance(one.get("kty"), str)]
    told.update(
        count=len(keys),
        kids=[_word(one.get("kid")) for one in keys[:_MOST_SHOWN]],
        private=[_word(one.get("kid")) for one in keys if any(one.get(part) for part in _PRIVATE)][:_MOST_SHOWN],
        not_read=len(listed) - len(keys),
    )
    return told, keys


def _word(value: Any) -> str | None:
    return masked(value, _WORD_CHARACTERS) if isinstance(value, str) and value else None


def library() -> ModuleType | None:
    """PyJWT, loaded on first use; None where it, or what it checks signatures with, is not installed."""
    try:
        import jwt
        import jwt.algorithms
    except ImportError:
        return None
    return jwt if jwt.algorithms.has_crypto else None


def token_told(
    text: str, keys: Sequence[Mapping[str, Any]] | None, auth: Mapping[str, Any], now_seconds: float
) -> dict[str, Any]:
    """What may be told of a token that was just issued.

    Args:
        text: the token.
        keys: that the issuer publishes; None where they could not be read, or where there is no issuer.
        auth: of the inventory, checked.
        now_seconds: when it was issued, by the clock of where it was asked for.

    Returns:
        ``token`` of the module ``auth_info``.
    """
    told: dict[str, Any] = {
        "reason": "",
        "kind": "opaque",
        "algorithm": None,
        "kid": None,
        "issuer": None,
        "issuer_right": None,
        "audience": [],
        "audience_right": None,
        "issued_ahead_seconds": None,
        "expires_in_seconds": None,
        "valid_in_seconds": None,
        "key_published": None,
        "signature": None,
    }
    if text.count(".") != 2:
        # A reference to a session says nothing by itself.
        return told
    jwt = library()
    if jwt is None:
        return {**told, "reason": MISSING}
    try:
        header = jwt.get_unverified_header(text)
        claims = jwt.decode(text, options={"verify_signature": False})
    except RecursionError:
        return {**told, "reason": "the token is nested too deeply"}
    except Exception as error:
        # Its text may hold a part of the token.
        return {**told, "reason": f"the token has three parts, and is no JSON Web Token ({type(error).__name__})"}
    algorithm = header.get("alg")
    told.update(
        kind="unsigned" if str(algorithm).lower() == "none" or text.endswith(".") else "signed",
        algorithm=_word(algorithm),
        kid=_word(header.get("kid")),
    )
    told.update(_claims(claims, auth, now_seconds))
    if told["kind"] == "signed" and algorithm in _SIGNED and keys is not None:
        told.update(_signed_by(jwt, text, header, algorithm, keys))
    elif told["kind"] == "signed" and algorithm in _SHARED:
        told["kind"] = "shared_secret"
    return told


def _claims(claims: Mapping[str, Any], auth: Mapping[str, Any], now_seconds: float) -> dict[str, Any]:
    def seconds(name: str) -> float | None:
        value = claims.get(name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12
        return round(float(value) - now_seconds, 1) if is_number and value is not None else None

    audience = claims.get("aud")
    audiences = [one for one in (audience if isinstance(audience, list) else [audience]) if isinstance(one, str)]
    issuer = claims.get("iss")
    return {
        "issuer": _word(issuer),
        "issuer_right": issuer == auth["issuer"] if auth["issuer"] else None,
        "audience": [masked(one, _WORD_CHARACTERS) for one in audiences[:_MOST_SHOWN]],
        "audience_right": auth["audience"] in audiences if auth["audience"] else None,
        "issued_ahead_seconds": seconds("iat"),
        "expires_in_seconds": seconds("exp"),
        "valid_in_seconds": seconds("nbf"),
    }


def _signed_by(
    jwt: ModuleType, text: str, header: Mapping[str, Any], algorithm: str, keys: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Whether the key that signed it is published, and whether the signature is right."""
    kid = header.get("kid")
    named = [one for one in keys if one.get("kid") == kid] if kid is not None else list(keys)[:_MOST_SHOWN]
    if not named:
        return {"key_published": False, "signature": None}
    tried = 0
    for one in named:
        try:
            key = jwt.PyJWK({name: value for name, value in one.items() if name not in _PRIVATE}, algorithm=algorithm)
        except Exception:  # noqa: S112  (a key of another kind, or a broken one: another may be the right one)
            continue
        tried += 1
        try:
            jwt.decode(text, key=key, algorithms=[algorithm], options=_ONLY_THE_SIGNATURE)
        except jwt.InvalidSignatureError:
            continue
        except jwt.PyJWTError as error:
            return {
                "key_published": True,
                "signature": None,
                "reason": f"the token could not be checked ({type(error).__name__})",
            }
        return {"key_published": True, "signature": True}
    if not tried:
        return {
            "key_published": kid is not None,
            "signature": None,
            "reason": "the key that the token names cannot be read",
        }
    if kid is not None:
        return {"key_published": True, "signature": False}
    if len(keys) > len(named):
        return {"reason": f"the token names no key, and {len(keys)} are published, of which {len(named)} were tried"}
    return {"key_published": False, "signature": None}
