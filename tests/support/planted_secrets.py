# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of many kinds, as logs, settings and requests have them, each with a value that is nowhere else.

No value is one that anybody has: they are built here, and where a checksum belongs to the kind, theirs is wrong.
"""

from __future__ import annotations

import base64

_NUMBER = iter(range(1001, 2000))


def _value(prefix: str = "", length: int = 24) -> str:
    """A value of its own, with letters and digits in it as they come in keys."""
    number = next(_NUMBER)
    letters = "".join(chr(ord("a") + (number * (place + 3) + place * 7) % 26) for place in range(length - 4))
    return f"{prefix}{letters}{number}"


def _lines(value: str) -> list[str]:
    return [value[:32], value[32:64], value[64:]]


class Planted:
    """One secret.

    Attributes:
        kind: what it is.
        text: a line, or several, as they are found.
        secrets: what must not be left of it.
    """

    def __init__(self, kind: str, text: str, *secrets: str) -> None:
        self.kind, self.text, self.secrets = kind, text, secrets
        assert all(secret in text for secret in secrets), kind


def _with(kind: str, template: str, value: str | None = None) -> Planted:
    value = value or _value()
    return Planted(kind, template.replace("{}", value), value)


def _basic() -> Planted:
    encoded = base64.b64encode(f"admin:{_value()}".encode()).decode()
    return Planted("basic authentication in a header", f"> Authorization: Basic {encoded}", encoded)


def _jwt() -> Planted:
    parts = [
        base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in ('{"alg":"HS256"}', '{"sub":"anna"}')
    ]
    signature = _value(length=43)
    return Planted("JSON web token", f"verify failed for {'.'.join([*parts, signature])} of anna", parts[1], signature)


def _private_key() -> Planted:
    body = _lines(_value(length=96))
    text = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *body, "-----END RSA PRIVATE KEY-----"])
    return Planted("private key", text, *body)


def _private_key_in_one_line() -> Planted:
    body = _value(length=60)
    text = f'{{"private_key": "-----BEGIN PRIVATE KEY-----\\n{body}\\n-----END PRIVATE KEY-----\\n"}}'
    return Planted("private key of a service account", text, body)


def _colours() -> Planted:
    value = _value()
    return Planted("password in colours of a terminal", f"\x1b[36mpassword\x1b[0m=\x1b[33m{value}\x1b[0m", value)


def _statement() -> Planted:
    first, second = _value(), _value()
    text = f"LOG:  statement: INSERT INTO users (email, password)\n\tVALUES ('a@b.example',\n\t'{first}\n\t{second}')"
    return Planted("statement of several lines, with a literal of several lines", text, first, second)


PLANTED = (
    _with("password of a database URL", "connecting to postgres://shop:{}@db.example:5432/shop?sslmode=require"),
    _with("password of a Redis URL without a user", "cache: redis://:{}@127.0.0.1:6379/0"),
    _with("password of an AMQP URL", "BROKER_URL=amqp://guest:{}@mq.example//"),
    _with("connection string of libpq", "dsn: host=db port=5432 user=shop password={} dbname=shop"),
    _with("connection string of ODBC", "Server=db;Database=shop;Uid=shop;Pwd={};Encrypt=yes"),
    _with("environment variable", "DB_PASSWORD={}"),
    _with("environment variable with export", "export SECRET_KEY_BASE='{}'"),
    _with("setting of YAML", "  smtp_password: {}"),
    _with("field of JSON", '{"level": "debug", "clientSecret": "{}", "ok": true}'),
    _with("field of JSON within JSON", '{"body": "{\\"password\\": \\"{}\\"}"}'),
    _with("bearer token in a header", "authorization: Bearer {}", _value(length=40)),
    _basic(),
    _with("digest in a header", 'Authorization: Digest username="anna", response="{}"'),
    _with(
        "signature of AWS in a header",
        "Authorization: AWS4-HMAC-SHA256 Credential=x/y, Signature={}",
        _value(length=64),
    ),
    _with("key in a header", "X-Api-Key: {}"),
    _with("cookie of a session", "Cookie: theme=dark; session={}"),
    _with("cookie that is set", "set-cookie: sid={}; HttpOnly; Path=/"),
    _with("token in a query", "GET /reset?token={}&lang=de 200"),
    _with("signature in a query", "GET /file.pdf?X-Amz-Signature={}&x=1 200", _value(length=40)),
    _jwt(),
    _private_key(),
    _private_key_in_one_line(),
    _with("key of Stripe", "stripe: using {}", _value("sk_live_")),
    _with("secret of a webhook of Stripe", "signature mismatch, tried {}", _value("whsec_", 32)),
    _with("token of GitHub", "clone failed with {}", _value("ghp_", 36)),
    _with("token of GitLab", "fatal: {} is expired", _value("glpat-")),
    _with("token of Slack", "posting with {}", _value("xoxb-", 30)),
    _with("webhook of Slack", "posting to hooks.slack.com/services/T000/B000/{}"),
    _with("access key of AWS", "user key {} has no policy", "AKIA" + _value(length=16).upper()),
    _with("secret key of AWS", "aws_secret_access_key = {}", _value(length=40)),
    _with("key of SendGrid", "mail: {}", "SG." + _value(length=22) + "." + _value(length=40)),
    _with("statement that sets a password", "LOG:  statement: ALTER ROLE shop PASSWORD '{}'"),
    _with("statement that identifies", "CREATE USER shop IDENTIFIED BY '{}'"),
    _with(
        "value of a statement", "Executing (default): INSERT INTO users (email, password) VALUES ('a@b.example', '{}');"
    ),
    _statement(),
    _with("parameter of a statement", "DETAIL:  parameters: $1 = 'a@b.example', $2 = '{}'"),
    _with("parameters of Prisma", 'prisma:query INSERT INTO users VALUES ($1,$2) params=["a@b.example","{}"]'),
    _with("parameters of SQLAlchemy", "[generated in 0.00010s] ('a@b.example', '{}')"),
    _with(
        "parameters of Rails", 'User Create (0.4ms)  INSERT INTO "users" ("password") VALUES ($1)  [["password", "{}"]]'
    ),
    _with("setting of a session", "SELECT set_config('app.jwt', '{}', false)"),
    _with("requirepass of Redis", 'CONFIG SET requirepass "{}"'),
    _with("option of a program", "run: mysqldump --password={} shop"),
    _with("option of redis-cli", "run: redis-cli -h cache -a {} ping"),
    _with("option of curl", "run: curl -u deploy:{} https://api.example/"),
    _with("passphrase", "ssl_passphrase: {}"),
    _colours(),
    _with("element of XML", "<property><password>{}</password></property>"),
)
TEXT = "\n".join(f"2026-11-30T12:00:00Z INFO {number} before\n{one.text}" for number, one in enumerate(PLANTED)) + "\n"


def left_in(text: str) -> list[str]:
    """The kinds of which something is left in a text."""
    return [one.kind for one in PLANTED if any(secret in text for secret in one.secrets)]
