# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dump says of the database itself, read from real ones, and what a database gets that is gone."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.backups.belongings import AboutDatabase, chosen, nothing
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.sql import Dump

# As pg_dump 16 writes it, of a database whose names and texts are as odd as they may be.
ODD = r"""--
-- PostgreSQL database dump
--

-- Dumped from database version 16.14

--
-- Name: sh op; Type: DATABASE; Schema: -; Owner: odd "role
--

CREATE DATABASE "sh op" WITH TEMPLATE = template0 ENCODING = 'LATIN1' LOCALE_PROVIDER = icu LOCALE = 'de_DE' ICU_LOCALE = 'de-DE';


ALTER DATABASE "sh op" OWNER TO "odd ""role";

\connect -reuse-previous=on "dbname='sh op'"

--
-- Name: DATABASE "sh op"; Type: COMMENT; Schema: -; Owner: odd "role
--

COMMENT ON DATABASE "sh op" IS 'it''s
ALTER DATABASE "sh op" OWNER TO mallory;
line';


--
-- Name: sh op; Type: DATABASE PROPERTIES; Schema: -; Owner: odd "role
--

ALTER DATABASE "sh op" CONNECTION LIMIT = 7;
ALTER DATABASE "sh op" SET search_path TO 's', 'it''s b';
ALTER ROLE app IN DATABASE "sh op" SET statement_timeout TO '5s';


--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: app
--

CREATE FUNCTION public.f() RETURNS integer AS $$
--
-- Name: sh op; Type: DATABASE; Schema: -; Owner: mallory
--
ALTER DATABASE "sh op" OWNER TO mallory;
--
-- Name: DATABASE "sh op"; Type: ACL; Schema: -; Owner: mallory
--
GRANT ALL ON DATABASE "sh op" TO mallory;
$$;

--
-- Name: t; Type: TABLE; Schema: public; Owner: app
--

CREATE TABLE public.t (
    x integer
);

ALTER TABLE public.t OWNER TO "the owner";

--
-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: app
--

COPY public.t (x) FROM stdin;
1
\.

--
-- Name: DATABASE "sh op"; Type: ACL; Schema: -; Owner: odd "role
--

REVOKE CONNECT,TEMPORARY ON DATABASE "sh op" FROM PUBLIC;
GRANT CONNECT ON DATABASE "sh op" TO oncall WITH GRANT OPTION;

--
-- Name: TABLE t; Type: ACL; Schema: public; Owner: app
--

GRANT SELECT ON TABLE public.t TO oncall;


--
-- PostgreSQL database dump complete
--

"""
TOLD: dict[str, Any] = {
    "owner": 'odd "role',
    "encoding": "LATIN1",
    "provider": "i",
    "collate": "de_DE",
    "ctype": "de_DE",
    "locale": "de-DE",
    "connection_limit": 7,
    "settings": [
        {"role": None, "name": "search_path", "values": ["s", "it's b"]},
        {"role": "app", "name": "statement_timeout", "values": ["5s"]},
    ],
    "rights": [
        {"is_given": False, "privileges": ["CONNECT", "TEMPORARY"], "role": None, "is_grantable": False},
        {"is_given": True, "privileges": ["CONNECT"], "role": "oncall", "is_grantable": True},
    ],
}


@pytest.mark.parametrize("size", [1, 7, 100, 4096])
def test_a_dump_tells_what_belongs_to_its_database_and_no_text_in_it_does(size):
    read, content = Dump(), ODD.encode()
    for at in range(0, len(content), size):
        read.feed(content[at : at + size])
    assert read.about.told() == TOLD
    assert (read.database, read.is_complete) == ("sh op", True)
    whole = {"rows": 1, "columns": ["x"], "owner": "the owner", "is_made": True, "has_data": True}
    assert read.tables["public.t"] == whole


def test_one_that_makes_no_database_tells_nothing_of_it():
    about = AboutDatabase()
    about.feed(b"-- Name: t; Type: TABLE; Schema: public; Owner: app\n\nALTER DATABASE shop OWNER TO mallory;\n")
    assert (about.told(), about.name) == (None, None)


OF_DUMP, KEPT = {**nothing(), "owner": "app", "encoding": "UTF8"}, {**nothing(), "owner": "before", "ctype": "C"}


@pytest.mark.parametrize(
    ("in_dump", "kept", "given", "owner", "by", "from_it"),
    [
        (OF_DUMP, KEPT, "", "app", "the backup", {"encoding": "UTF8", "ctype": None}),
        (None, KEPT, "", "before", "what was kept when it was there", {"ctype": "C"}),
        (None, KEPT, "said", "said", "the inventory", {"ctype": "C"}),
        (OF_DUMP, None, "said", "said", "the inventory", {"encoding": "UTF8"}),
        (None, None, "said", "said", "the inventory", {"encoding": None}),
        (None, None, "", None, "", {}),
        (nothing(), KEPT, "", "before", "what was kept when it was there", {}),
    ],
)
def test_who_says_whose_it_was(in_dump, kept, given, owner, by, from_it):
    found, said = chosen(in_dump, kept, given)
    assert (found["owner"], said) == (owner, by)
    assert {key: found[key] for key in from_it} == from_it
