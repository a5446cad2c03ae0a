# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests may have in them. The document of OpenAPI is made of these, so that it says what is checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...incidents.commands import LONGEST_SNOOZE_SECONDS, MOST_LINE, MOST_NAME, MOST_NOTE, MOST_TITLE
from ...incidents.entries import LATEST, SIGNED

# No database takes a NUL.
PLAIN = r"^[^\x00-\x1f\x7f]*$"
MOST_TEXT = 2_000_000
# Of one page.
MOST_LISTED = 500
State = Literal["open", "triggered", "acknowledged", "mitigated", "resolved", "closed", "merged", "cancelled"]
Review = Literal["due", "draft", "review", "done"]
Role = Literal["commander", "scribe", "liaison", "responder"]
Time = Annotated[float, Meta(ge=0, le=LATEST, description="Seconds since 1970, in UTC.")]
Past = Annotated[
    float, Meta(ge=0, le=LATEST, description="When it happened, where that is not now: seconds since 1970, in UTC.")
]
Number = Annotated[int, Meta(ge=1, le=999_999_999)]
Entry = Annotated[int, Meta(ge=1, le=999_999_999, description="The number of an entry of the timeline.")]
Name = Annotated[str, Meta(max_length=MOST_NAME)]
Line = Annotated[str, Meta(max_length=MOST_LINE)]
Said = Annotated[str, Meta(min_length=1, max_length=MOST_LINE)]
Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MOST_TEXT,
        description=f"The first {MOST_NOTE:,} characters are kept, with a word about what was cut. Markup stays text.",
    ),
]
Status = Annotated[str, Meta(max_length=MOST_TEXT, description=f"The first {MOST_NOTE // 4:,} characters are kept.")]
Person = Annotated[str, Meta(max_length=MOST_NAME, description='A person whom the inventory names; "" for nobody.')]
Of = Annotated[
    str,
    Meta(
        pattern=r"^([Ii][Nn][Cc]-)?[0-9]{1,9}$|^[0-9a-f]{6,32}$",
        description="An incident: INC-12, 12, or the beginning of its id, of at least six characters.",
    ),
]
Wanted = Annotated[str, Meta(max_length=200, pattern=PLAIN)]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object without unknown fields."""


class Body(Strict, frozen=True, kw_only=True):
    """What a command is given."""

    after: Annotated[
        Entry | None,
        Meta(
            description="The number of the last entry that you know. Where there is a later one, nothing is done (409)."
        ),
    ] = None


class Open(Strict, frozen=True, kw_only=True):
    """What is wrong."""

    title: Annotated[str, Meta(min_length=1, max_length=MOST_TITLE, description="In a few words, what is wrong.")]
    system: Annotated[Name, Meta(description="What is affected, as its team calls it.")] = ""
    severity: Annotated[Name, Meta(description="How bad it is, in the scheme of the system.")] = ""
    scheme: Annotated[Name, Meta(description="Whose severities these are; that of the system without.")] = ""
    runbook: Annotated[Name, Meta(description="The runbook that it is about.")] = ""
    again: Annotated[Of | None, Meta(description="The closed incident that this is a repeat of.")] = None
    anyway: Annotated[bool, Meta(description="Whether it is opened though nobody knows the system.")] = False
    at: Past | None = None


class Acknowledge(Body, frozen=True, kw_only=True):
    """You see to it."""

    at: Past | None = None


class Assign(Body, frozen=True, kw_only=True):
    """Whose it is."""

    to: Person


class GiveRole(Body, frozen=True, kw_only=True):
    """Who has a role."""

    role: Role
    to: Person


class Note(Body, frozen=True, kw_only=True):
    """What you have to say."""

    text: Text
    part: Annotated[Line, Meta(description="The part or the question of the post-mortem that it answers.")] = ""
    at: Past | None = None


class SetSeverity(Body, frozen=True, kw_only=True):
    """How bad it is."""

    to: Annotated[str, Meta(min_length=1, max_length=MOST_NAME)]
    why: Line = ""
    scheme: Name = ""


class How(Body, frozen=True, kw_only=True):
    """How it came to that."""

    how: Said
    at: Past | None = None


class Update(Body, frozen=True, kw_only=True):
    """How things are, for those who are not in it."""

    conditions: Annotated[Status, Meta(min_length=1)]
    actions: Annotated[Status, Meta(description="What is being done.")] = ""
    needs: Annotated[Status, Meta(description="What is needed.")] = ""
    next_update_at: Time | None = None
    customers: Annotated[bool, Meta(description="Whether it is for customers.")] = False


class Escalate(Body, frozen=True, kw_only=True):
    """Who else is asked: people or roles, or those whom the policy names for a situation."""

    targets: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=MOST_NAME)], ...], Meta(max_length=50)] = ()
    situation: Annotated[Line, Meta(description="A situation, or a step, of the policy. Instead of targets.")] = ""
    tried: Line = ""
    need: Annotated[Line, Meta(description="What is needed of them.")] = ""


class Snooze(Body, frozen=True, kw_only=True):
    """Until when nobody is asked."""

    until: Annotated[Time, Meta(description=f"At most {LONGEST_SNOOZE_SECONDS / 86400:.0f} days from now.")]
    why: Said


class Merge(Body, frozen=True, kw_only=True):
    """The incident that is the same, and goes on."""

    into: Of


class Why(Body, frozen=True, kw_only=True):
    """Why."""

    why: Said


class Close(Body, frozen=True, kw_only=True):
    """It never changes again."""

    why: Annotated[Line, Meta(description="Why a post-mortem or action items are left undone.")] = ""


class Pin(Body, frozen=True, kw_only=True):
    """An entry that everybody should see."""

    number: Entry
    pinned: bool = True


class Correct(Body, frozen=True, kw_only=True):
    """What is right instead of an entry, which stays as it is."""

    number: Entry
    text: Text


class Step(Body, frozen=True, kw_only=True):
    """A step of a checklist."""

    checklist: Annotated[str, Meta(min_length=1, max_length=MOST_NAME)]
    step: Said
    done: bool = True


class Link(Body, frozen=True, kw_only=True):
    """Another incident that has to do with it."""

    to: Of
    why: Line = ""


class Attach(Body, frozen=True, kw_only=True):
    """Runs of ``ansible-playbook`` that the service did not begin."""

    record: Annotated[
        dict[str, Any],
        Meta(description="As the callback record writes it. Those of its runs that are known already are left out."),
    ]
    name: Annotated[Line, Meta(description="What the record is called.")] = ""


class ActionItem(Body, frozen=True, kw_only=True):
    """What is to be done so that it does not happen again."""

    text: Line = ""
    item: Annotated[Name, Meta(description="The name of one that is there, to change it.")] = ""
    owner: Person = ""
    due_at: Time | None = None
    done: bool = False


class PostMortem(Body, frozen=True, kw_only=True):
    """How far the post-mortem is."""

    state: Review
    owner: Person = ""
    due_at: Time | None = None
    why: Line = ""


# ---------------------------------------------------------------------- after the question mark
class Nothing(Strict, frozen=True, kw_only=True):
    """Nothing."""


class Filtered(Strict, frozen=True, kw_only=True):
    """Which incidents are wanted."""

    state: Annotated[
        tuple[State, ...], Meta(max_length=8, description="In one of these; open means the first three.")
    ] = ()
    system: Wanted = ""
    severity: Wanted = ""
    assignee: Wanted = ""
    runbook: Annotated[Wanted, Meta(description="Those that this runbook looked at.")] = ""
    host: Wanted = ""
    search: Annotated[Wanted, Meta(description="Those with all of these words, the last perhaps not to its end.")] = ""
    since: Annotated[Time | UnsetType, Meta(description="Opened at this time or later: seconds since 1970.")] = UNSET
    until: Annotated[Time | UnsetType, Meta(description="Opened before this time.")] = UNSET


class Listed(Filtered, frozen=True, kw_only=True):
    """Which incidents are wanted, and which page of them."""

    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED)] = 50
    before: Annotated[
        Number | UnsetType,
        Meta(description="Those that come after this number in the list: `next` of the page before."),
    ] = UNSET


class Read(Strict, frozen=True, kw_only=True):
    """Which part of the timeline is wanted."""

    after: Annotated[int, Meta(ge=0, le=999_999_999, description="What comes after the entry with this number.")] = 0
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED)] = 200


class Proof(Strict, frozen=True, kw_only=True):
    """Heads out of the log or of messages."""

    head: Annotated[tuple[Annotated[str, Meta(pattern=f"^{SIGNED.pattern}$")], ...], Meta(max_length=100)] = ()
