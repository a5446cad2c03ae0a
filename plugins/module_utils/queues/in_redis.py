# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all engines that keep their jobs in Redis have in common."""

from __future__ import annotations

import hashlib
import re

from ..redis.client import RedisError, where
from ..redis.commands import Refused
from .answer import number_of, spread, text_of

# The most that the sample of one list or stream may weigh.
SAMPLE_BYTES = 8 * 1024 * 1024
# Of what the server does not tell how much it weighs, so many are read.
_UNWEIGHED = 50
# A text that is longer is not read: an error can hold a whole document.
TEXT_BYTES = 64 * 1024


def begin(store):
    """The seconds of the server's clock, where it is one whose queues can be read.

    Raises:
        RedisError: it is a node of a cluster, where the keys of a queue are on several nodes.
    """
    info, time = store.ask([("INFO", "cluster"), ("TIME",)])
    # A user that may not ask for the first can still tell the rest.
    if not isinstance(info, Refused) and re.search(r"^cluster_enabled:1", text_of(info), re.MULTILINE):
        raise RedisError("cluster", f"{where(store.server)} is a node of a Redis cluster, whose queues are not read")
    if isinstance(time, Refused):
        raise store.refusal(time)
    return clock(time)


def missing(store, what):
    """The error where nothing shows that there is such a queue."""
    number = store.server.get("database") or 0
    return RedisError(
        "no_queue",
        f"{where(store.server)}: its database {number} has {what}; check the name, the prefix and the database",
    )


def clock(answer):
    """The seconds of the server's clock, as TIME tells them."""
    return int(answer[0]) + int(answer[1]) / 1e6


def pairs(flat):
    """A flat list of names and values as a dictionary of text to values."""
    return {text_of(name): value for name, value in zip(flat[::2], flat[1::2])}


def scored(flat):
    """A flat list of members and scores as pairs."""
    return [(member, float(score)) for member, score in zip(flat[::2], flat[1::2])]


def affordable(store, keys, lengths, most):
    """How many elements of each of these keys may be read, by what they weigh on average.

    Args:
        store: to ask.
        keys: of lists or streams.
        lengths: of each.
        most: never more than that.
    """
    answers = store.ask([("MEMORY", "USAGE", key, "SAMPLES", 5) for key in keys])
    found = []
    for length, weight in zip(lengths, answers):
        if not length:
            found.append(0)
        elif number_of(weight) is None:
            found.append(min(most, _UNWEIGHED))
        else:
            found.append(max(1, min(most, int(SAMPLE_BYTES * length / float(weight)))))
    return found


def list_samples(store, keys, lengths, most):
    """Elements of each of these lists: all of them, or some from everywhere in it."""
    counts = affordable(store, keys, lengths, most)
    asked = [spread(length, count) for length, count in zip(lengths, counts)]
    answers = iter(store.needed(*(("LRANGE", key, *piece) for key, pieces in zip(keys, asked) for piece in pieces)))
    return [[element for _piece in pieces for element in next(answers)] for pieces in asked]


def short_texts(store, asked):
    """The texts of fields of hashes; None for what is missing or too long.

    Args:
        store: to ask.
        asked: pairs of a key and a field.
    """
    lengths = store.needed(*(("HSTRLEN", key, field) for key, field in asked))
    wanted = [pair for pair, length in zip(asked, lengths) if 0 < length <= TEXT_BYTES]
    # One that was replaced meanwhile is as long as it is; nothing here reads more than a few hundred of them.
    found = dict(zip(wanted, store.needed(*(("HGET", key, field) for key, field in wanted))))
    return [found.get(pair) for pair in asked]


def hashes(store, fields):
    """The SHA-256 of each of these fields, as bytes that nobody reads; None for one that is not there.

    Args:
        store: a :class:`redis.commands.Commands`.
        fields: pairs of the key of a hash and a field.
    """
    lengths = store.needed(*(("HSTRLEN", key, field) for key, field in fields))
    found, piece, weight = [], [], 0
    for field, length in zip(fields, lengths):
        if piece and weight + length > SAMPLE_BYTES:
            found += _hashes(store, piece)
            piece, weight = [], 0
        piece.append(field)
        weight += length
    return found + _hashes(store, piece)


def _hashes(store, fields):
    told = store.needed(*(("HGET", key, field) for key, field in fields))
    return [None if one is None else hashlib.sha256(one).hexdigest() for one in told]
