"""Feeds of who is on call: calendars and JSON as they come, and what is none."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall.incidents.escalation import apart, feeds
from oncall.incidents.escalation.feeds import Feed, FeedError, from_ical, from_json, kept, of_shelf, on_shelf
from oncall.incidents.escalation.fetch import fetched
from oncall.incidents.escalation.people import Turn, directory

PEOPLE = directory(
    {
        "incident_people": {
            "ada": {"reach": ["chat"], "calls": ["Ada L.", "ada@example.com"]},
            "bob": {"reach": ["chat"]},
        }
    }
)
ZONE = """BEGIN:VTIMEZONE
TZID:Team/Own
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0500
TZOFFSETTO:+0500
TZNAME:X
END:STANDARD
END:VTIMEZONE
"""


def at(*when):
    return datetime(*when, tzinfo=timezone.utc).timestamp()


BEGIN, END, NOW = at(2026, 10, 1), at(2026, 12, 1), at(2026, 11, 30)


def calendar(*events, head=""):
    body = "".join(
        f"BEGIN:VEVENT\nUID:{number}\nSUMMARY:Ada L.\n{event}\nEND:VEVENT\n" for number, event in enumerate(events)
    )
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//x//EN\n{head}{body}END:VCALENDAR\n".replace(
        "\n", "\r\n"
    ).encode()


def read(*events, head="", zone=""):
    return from_ical(calendar(*events, head=head), PEOPLE, zone, BEGIN, END, NOW)


def begins(feed):
    return [turn.begins_at for turn in feed.turns]


@pytest.mark.parametrize(
    ("event", "first", "head", "zone"),
    [
        ("DTSTART:20261019T090000Z\nDTEND:20261020T090000Z", at(2026, 10, 19, 9), "", ""),
        ("DTSTART:20261019T090000Z\nDURATION:P7D", at(2026, 10, 19, 9), "", ""),
        (
            "DTSTART;TZID=Europe/Berlin:20261019T090000\nDTEND;TZID=Europe/Berlin:20261020T090000",
            at(2026, 10, 19, 7),
            "",
            "",
        ),
        ("DTSTART;TZID=W. Europe Standard Time:20261019T090000\nDURATION:P1D", at(2026, 10, 19, 7), "", ""),
        ("DTSTART;TZID=Team/Own:20261019T090000\nDURATION:P1D", at(2026, 10, 19, 4), ZONE, ""),
        # Times without a zone, and days.
        ("DTSTART:20261019T090000\nDURATION:P1D", at(2026, 10, 19, 7), "", "Europe/Berlin"),
        ("DTSTART;VALUE=DATE:20261019\nDTEND;VALUE=DATE:20261020", at(2026, 10, 18, 22), "", "Europe/Berlin"),
    ],
)
def test_when_a_shift_is(event, first, head, zone):
    feed = read(event, head=head, zone=zone)
    assert begins(feed) == [first]
    assert ({turn.who for turn in feed.turns}, feed.notes) == ({"ada"}, ())


def test_shifts_that_repeat_over_a_change_of_clocks_with_one_taken_out_and_one_moved():
    weekly = "DTSTART;TZID=Europe/Berlin:20261012T090000\nDURATION:P7D\nRRULE:FREQ=WEEKLY;COUNT=5\nEXDATE;TZID=Europe/Berlin:20261109T090000"
    moved = calendar(weekly).replace(
        b"END:VCALENDAR",
        b"BEGIN:VEVENT\r\nUID:0\r\nSUMMARY:bob\r\nRECURRENCE-ID;TZID=Europe/Berlin:20261102T090000\r\n"
        b"DTSTART;TZID=Europe/Berlin:20261102T120000\r\nDURATION:P6D\r\nEND:VEVENT\r\nEND:VCALENDAR",
    )
    feed = from_ical(moved, PEOPLE, "", BEGIN, END, NOW)
    assert [(turn.who, turn.begins_at) for turn in feed.turns] == [
        ("ada", at(2026, 10, 12, 7)), ("ada", at(2026, 10, 19, 7)), ("ada", at(2026, 10, 26, 8)), ("bob", at(2026, 11, 2, 11))
    ]  # fmt: skip


def test_a_cancelled_shift_is_none():
    assert read(
        "STATUS:CANCELLED\nDTSTART:20261019T090000Z\nDURATION:P1D", "DTSTART:20261020T090000Z\nDURATION:P1D"
    ).turns[0].begins_at == at(2026, 10, 20, 9)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", "the feed is empty"),
        (b" \n", "the feed is empty"),
        (b"<html><body>Sign in</body></html>", "the feed is no iCal: it begins with '<html><body>Sign in</body></html>'"),
        (b"\xff\xfe\x00B", "the feed is no iCal: it begins with"),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "the feed is no iCal: "),
        (b"BEGIN:VCALENDAR\r\nSUMMARY:\xff\r\nEND:VCALENDAR\r\n", "the feed is no iCal: it is not written in UTF-8"),
        (calendar("DTSTART:2026foo"), "the feed has an entry that cannot be read"),
        (calendar("DTSTART;TZID=Mars/Base:20261019T090000\nDURATION:P1D"), "the feed has times of the time zone 'Mars/Base', which nobody knows"),
        (calendar('DTSTART;X="a";TZID="Mars/Base":20261019T090000'), "the feed has times of the time zone 'Mars/Base', which nobody knows"),
        (calendar("DTSTART:20261019T090000\nDURATION:P1D"), "the feed has times without a time zone; give the schedule its zone"),
        (calendar("DTSTART:20261019T090000Z\nRRULE:FREQ=SECONDLY"), "the feed has an entry that repeats secondly, which is no shift"),
        (calendar("DTSTART:20261019T090000Z\nRRULE:FREQ=DAILY\nEXRULE:FREQ=WEEKLY"), "the feed has an entry with EXRULE, which iCalendar does not"),
        (calendar("DTSTART:20261019T090000Z\nRRULE:FREQ=SOMETIMES"), "the feed has an entry that cannot be read: "),
        (calendar("DTEND:20261019T090000Z"), "the feed has an entry that cannot be read: "),
        (calendar("DTSTART:20261020T090000Z\nDTEND:20261019T090000Z"), "the feed has an entry of 'Ada L.' that ends before it begins"),
        (calendar(*["DTSTART:20261019T090000Z"] * 5001), "the feed has more than 5000 entries"),
        (b"BEGIN:VCALENDAR\r\n" + b"X" * 10 * 1024 * 1024, "the feed is larger than 2 MB"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "feed",
)  # fmt: skip
def test_what_is_no_calendar_is_said_in_one_line_and_at_once(text, line):
    began = time.process_time()
    with pytest.raises(FeedError) as error:
        from_ical(text, PEOPLE, "", BEGIN, END, NOW)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)
    assert time.process_time() - began < 5


def test_a_calendar_that_moved_to_another_time_zone_is_said():
    feed = read(
        "DTSTART;TZID=America/New_York:20261019T090000\nDURATION:P1D",
        head="X-WR-TIMEZONE:America/New_York\n",
        zone="Europe/Berlin",
    )
    assert begins(feed) == [at(2026, 10, 19, 13)]
    assert feed.notes == (
        "the calendar's time zone is America/New_York, the schedule says Europe/Berlin: its entries keep the times that they name",
    )


def test_a_shift_without_an_end_is_said_and_nobodys():
    feed = read("DTSTART:20261019T090000Z", "DTSTART:20261020T090000Z\nDURATION:P1D")
    assert begins(feed) == [at(2026, 10, 20, 9)]
    assert feed.notes == ("the feed has shifts of Ada L. that end when they begin: give them an end",)


@pytest.mark.parametrize(
    "rule", ["INTERVAL=0", "BYHOUR={hours};BYMINUTE={all};BYSECOND={all}"], ids=["no step", "every second"]
)
def test_a_rule_without_an_end_is_ended(monkeypatch, rule):
    monkeypatch.setattr(apart, "CPU_SECONDS", 4)
    numbers = {"hours": ",".join(map(str, range(24))), "all": ",".join(map(str, range(60)))}
    text = calendar(f"DTSTART:20261019T090000Z\nDURATION:P1D\nRRULE:FREQ=DAILY;{rule.format(**numbers)}")
    with pytest.raises(FeedError, match=r"takes more than 4 s to work out.*INTERVAL of 0"):
        from_ical(text, PEOPLE, "", BEGIN, END, NOW, apart.shifts_of)


def test_apart_it_comes_to_the_same():
    good = calendar("DTSTART:20261019T090000\nDURATION:P1D\nRRULE:FREQ=WEEKLY", head="X-WR-TIMEZONE:Asia/Tokyo\n")
    here, there = (from_ical(good, PEOPLE, "Europe/Berlin", BEGIN, END, NOW, how) for how in (None, apart.shifts_of))
    assert here == there and here.turns and here.notes
    for bad in (b"", b"\xff\xfe", b"<html>", b"X" * 3_000_000, calendar("DTSTART:2026foo")):
        said = []
        for how in (None, apart.shifts_of):
            with pytest.raises(FeedError) as error:
                from_ical(bad, PEOPLE, "", BEGIN, END, NOW, how)
            said.append(str(error.value))
        assert said[0] == said[1]


def test_strangers_are_named_and_not_on_call():
    feed = read("DTSTART:20261019T090000Z\nDURATION:P1D")
    other = from_ical(
        calendar("DTSTART:20261019T090000Z\nDURATION:P1D").replace(b"Ada L.", b"Eve"), PEOPLE, "", BEGIN, END, NOW
    )
    assert (len(feed.turns), other.turns, other.notes) == (
        1,
        (),
        ("the feed names Eve, who is nobody in incident_people",),
    )


def test_an_empty_calendar_says_so():
    assert read().notes == ("the feed has no shift in this time",)


SHIFT = {"who": "ada@example.com", "begins_at": "2026-11-30T09:00:00+01:00", "ends_at": "2026-12-01T09:00:00+01:00"}


def test_json():
    for said in ([SHIFT], {"shifts": [SHIFT]}):
        assert from_json(json.dumps(said).encode(), PEOPLE, NOW).turns == (
            Turn("ada", at(2026, 11, 30, 8), at(2026, 12, 1, 8)),
        )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", "the feed is empty"),
        (b"<html>", "the feed is no JSON: it begins with '<html>'"),
        (b"[" * 100_000, "the feed is no JSON"),
        (b"{}", "feed: Object missing required field `shifts`"),
        (
            json.dumps([{**SHIFT, "begins_at": "soon"}]).encode(),
            "feed.shifts[0].begins_at: Invalid RFC3339 encoded datetime",
        ),
        (
            json.dumps([{**SHIFT, "begins_at": "2026-11-30T09:00:00"}]).encode(),
            "feed.shifts[0]: its times need an offset",
        ),
        (
            json.dumps([{**SHIFT, "ends_at": "2026-11-30T09:00:00+01:00"}]).encode(),
            "feed.shifts[0]: it ends before it begins",
        ),
        (b" " * 3_000_000, "the feed is larger than 2 MB"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "feed",
)
def test_what_is_no_json_of_shifts(text, line):
    with pytest.raises(FeedError) as error:
        from_json(text, PEOPLE, NOW)
    assert str(error.value).startswith(line)


GOOD = Feed((Turn("ada", NOW - 3600, NOW + 3600),), (), NOW - 7200)


@pytest.mark.parametrize(
    ("before", "new", "used", "says"),
    [
        (GOOD, Feed((Turn("bob", NOW, NOW + 60),), (), NOW), "new", ""),
        (GOOD, FeedError("the feed is empty"), "before", "the feed is empty; who is on call is known from 2 h ago"),
        (
            GOOD,
            Feed((), ("the feed has no shift in this time",), NOW),
            "before",
            "the feed has no shift in this time; who is on call is known from 2 h ago",
        ),
        (None, FeedError("the feed is empty"), None, "the feed is empty"),
        (Feed(GOOD.turns, (), NOW - 90000), FeedError("the feed is empty"), None, "the feed is empty"),
    ],
)
def test_the_last_good_feed_is_used_until_it_is_too_old(before, new, used, says):
    feed, said = kept(before, new, NOW, 86400)
    assert feed is {"new": new, "before": before, None: None}[used]
    assert said == says


@settings(max_examples=40)
@given(
    st.binary(max_size=200).map(
        lambda junk: b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + junk + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
)
def test_whatever_comes_is_a_feed_or_said(text):
    for read_it in (lambda: from_ical(text, PEOPLE, "UTC", BEGIN, END, NOW), lambda: from_json(text, PEOPLE, NOW)):
        try:
            assert isinstance(read_it(), feeds.Feed)
        except FeedError as error:
            assert "\n" not in str(error)


# ---------------------------------------------------------------------- fetching
class Calendars(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/good?token=s3cr3t" if self.path == "/moved" else self.path)
            self.end_headers()
            return
        if self.path == "/hang":
            time.sleep(3)
            return
        self.send_response(404 if self.path == "/gone" else 200)
        self.end_headers()
        if self.path == "/big":
            for _part in range(100):
                self.wfile.write(b"x" * 100_000)
        elif self.path == "/trickle":
            for _part in range(30):
                self.wfile.write(b"x")
                time.sleep(0.1)
        else:
            self.wfile.write(calendar("DTSTART:20261019T090000Z\nDURATION:P1D"))

    def log_message(self, *_arguments):
        pass


@pytest.fixture(scope="module")
def web():
    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            """Who left is what is tried."""

    with Quiet(("127.0.0.1", 0), Calendars) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_feed_is_fetched_from_a_file_or_an_address(web, tmp_path):
    (tmp_path / "a.ics").write_bytes(b"x")
    assert fetched(str(tmp_path / "a.ics")) == b"x"
    for path in ("/good", "/moved"):
        assert from_ical(fetched(web + path), PEOPLE, "", BEGIN, END, NOW).turns


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/gone", " answers 404"), ("/big", "the feed is larger than 2 MB"), ("/hang", ": no feed within 0.5 s"), ("/trickle", ": no feed within 0.5 s"),
        ("/moved/x?token=s3cr3t", " leads elsewhere again and again"),
    ],
)  # fmt: skip
def test_a_feed_that_does_not_come(web, path, says):
    began = time.monotonic()
    with pytest.raises(FeedError) as error:
        fetched(web + path, 0.5 if says.endswith("s") else 10)
    assert str(error.value).endswith(says)
    assert "s3cr3t" not in str(error.value)
    assert time.monotonic() - began < 9


def test_an_address_that_is_none(tmp_path):
    (tmp_path / "big.ics").write_bytes(b"x" * 3_000_000)
    for where in (
        str(tmp_path / "none.ics"),
        str(tmp_path / "big.ics"),
        str(tmp_path),
        "ftp://x/s3cr3t",
        "http://[::1/s3cr3t",
        "http://127.0.0.1:1/s3cr3t",
    ):
        with pytest.raises(FeedError) as error:
            fetched(where, 5)
        assert "s3cr3t" not in str(error.value)
        assert "\n" not in str(error.value)


def test_what_is_kept_of_a_feed_is_what_can_be_asked_of_it():
    day, now = 86400.0, 1_770_000_000.0
    turns = tuple(Turn("ann", now + day * one, now + day * (one + 1)) for one in range(-5, 200))
    text = on_shelf("https://user:secret@example.com/ical", Feed(turns, (), now))
    assert "secret" not in text and "example" not in text
    people = directory({"incident_people": {"ann": {"reach": ["chat"]}}})
    found = of_shelf("https://user:secret@example.com/ical", text, now, people)
    assert found is not None and found.read_at == now
    # A feed holds for 60 days at most.
    assert (found.turns[0], found.turns[-1]) == (turns[3], turns[66])
    for where, told in (("https://example.com/ical", text), ("https://user:secret@example.com/ical", "[]")):
        assert of_shelf(where, told, now, people) is None
