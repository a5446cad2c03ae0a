# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far up the ladder of proof real and damaged dumps stand."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.oncall.runbooks.plugins.module_utils.backups.archive import kind_of, listed, unsupported
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.proof import RUNGS, expected_tables, verify
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.sql import Dump
from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import Deadline
from ansible_collections.oncall.runbooks.tests.support.backups import dump, packed
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import postgres_programs, server

TABLES = """
CREATE TABLE users (id int, "a b" text);
CREATE TABLE "we ""ird" (x int);
CREATE SCHEMA "Other"; CREATE TABLE "Other".empty (x int);
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$
COPY public.fake (id) FROM stdin;
SELECT 1 $$;
INSERT INTO users SELECT n, E'text\\\\.\\n' || n FROM generate_series(1, 1000) n
"""
FOUND = {"public.users": 1000, 'public.we "ird': 0, "Other.empty": 0}


def proof(path: Path, *tables: Any, version: str | None = "15.1", seconds: float = 60) -> dict[str, Any]:
    pg_restore = [str(postgres_programs() / "pg_restore")]
    return verify(str(path), expected_tables(tables), pg_restore, version, Deadline(seconds))


def stands_on(found: dict[str, Any]) -> tuple[str, str]:
    return found["reached"], found["failed"]


@pytest.fixture(scope="module")
def dumps(tmp_path_factory):
    """Real dumps in every format."""
    folder = tmp_path_factory.mktemp("dumps")
    with server() as running:
        running.execute(TABLES.replace("COPY public.fake (id) FROM stdin;\n", ""))
        reach = ["-h", "127.0.0.1", "-p", str(running.port), "-U", "postgres", "-d", "shop"]
        for name, form in {
            "archive": ["-Fc"],
            "tar": ["-Ft"],
            "plain": ["-Fp"],
            "packed": ["-Fp", "-Z6"],
            "made": ["-Fp", "-C"],
            "inserts": ["-Fp", "--inserts"],
        }.items():
            argv = [str(postgres_programs() / "pg_dump"), *reach, *form, "-f", str(folder / name)]
            subprocess.run(argv, check=True, timeout=60)
    (folder / "bzip2").write_bytes(bz2.compress((folder / "plain").read_bytes()))
    (folder / "xz").write_bytes(lzma.compress((folder / "plain").read_bytes()))
    return folder


@pytest.mark.parametrize("name", ["archive", "tar", "plain", "packed", "made", "bzip2", "xz"])
def test_a_real_dump_stands_high(dumps, name):
    found = proof(
        dumps / name, "users", {"name": 'public.we "ird', "columns": ["x"]}, {"name": "users", "columns": ["a b"]}
    )
    assert stands_on(found) == ("tables", "")
    assert {table: one["rows"] for table, one in found["tables"].items()} == FOUND
    assert found["server_version"].startswith("15") or found["server_version"][:2].isdigit()
    assert found["database"] == ("shop" if name in ("archive", "tar", "made") else None)


def test_rows_of_inserts_are_not_told(dumps):
    assert proof(dumps / "inserts", "users")["tables"]["public.users"]["rows"] is None


# What only looks like a table: a part of a partitioned one, and what functions make. What the names hold may not be cut in two.
HARD = """
CREATE ROLE "the owner";
CREATE SCHEMA "a b" AUTHORIZATION "the owner";
CREATE TABLE "a b"."c; Type: TABLE; d" (x int);
ALTER TABLE "a b"."c; Type: TABLE; d" OWNER TO "the owner";
CREATE TABLE visits (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE empty (x int);
CREATE TABLE notes (text text);
CREATE FUNCTION import() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
CREATE TABLE public.imported (
id int);
INSERT INTO public.imported VALUES (1);
END $$;
INSERT INTO visits VALUES (1, '2026-03-01');
INSERT INTO notes VALUES (E'one\nINSERT INTO public.other VALUES (1);\nCOPY public.more (x) FROM stdin;\n')
"""
HARD_ROWS = {
    "a b.c; Type: TABLE; d": 0,
    "public.visits": None,
    "public.visits_2026": 1,
    "public.empty": 0,
    "public.notes": 1,
}
EVERY = {"whole": [], "packed": ["-Z6"], "only the schema": ["-s"], "only the data": ["-a"], "inserts": ["--inserts"]}
EVERY |= {"not the rows of notes": ["--exclude-table-data=notes"]}


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    """Dumps of what is easily mistaken, each as an archive and in SQL, and one of a whole server."""
    folder = tmp_path_factory.mktemp("hard")
    with server() as running:
        running.execute(HARD)
        reach = ["-h", "127.0.0.1", "-p", str(running.port), "-U", "postgres"]
        for name, options in EVERY.items():
            for form in ("-Fc", "-Fp"):
                argv = [
                    str(postgres_programs() / "pg_dump"),
                    *reach,
                    form,
                    *options,
                    "-f",
                    str(folder / f"{name} {form}"),
                ]
                subprocess.run([*argv, "shop"], check=True, timeout=60)
        argv = [str(postgres_programs() / "pg_dumpall"), *reach, "-f", str(folder / "server")]
        subprocess.run(argv, check=True, timeout=60)
    return folder


@pytest.mark.parametrize("form", ["-Fc", "-Fp"])
def test_only_what_is_a_table_is_taken_for_one(hard, form):
    for name in ("whole", "packed"):
        found = proof(hard / f"{name} {form}", "notes", "visits", "empty")
        assert stands_on(found) == ("tables", ""), found
        assert {table: one["rows"] for table, one in found["tables"].items()} == HARD_ROWS
        assert found["tables"]["a b.c; Type: TABLE; d"]["owner"] == "the owner"
        assert found["empty"] == ["public.empty"]
    told = proof(hard / f"inserts {form}", "notes", "visits", "empty")
    assert (stands_on(told), set(told["tables"])) == (("tables", ""), set(HARD_ROWS))


@pytest.mark.parametrize("form", ["-Fc", "-Fp"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("only the schema", "it has no rows of any table, as with pg_dump --schema-only"),
        ("only the data", "it makes none of its tables, as with pg_dump --data-only"),
        ("not the rows of notes", "without their rows, as with pg_dump --exclude-table-data: public.notes"),
    ],
)
def test_a_part_of_a_database_is_no_backup_of_it(hard, form, name, says):
    found = proof(hard / f"{name} {form}", "notes", "visits", "empty")
    assert (stands_on(found), found["why"]) == (("ended", "tables"), says)
    # Nobody has said which tables have to be there.
    bare = proof(hard / f"{name} {form}")
    assert bare["failed"] == ("" if name.startswith("not") else "tables")


def test_the_dump_of_a_whole_server_is_whole(hard):
    found = proof(hard / "server", "notes", "visits")
    assert stands_on(found) == ("tables", ""), found
    # It is of several databases, and makes each.
    assert (found["database"], found["makes_database"], found["belongings"]) == (None, True, None)


@pytest.mark.parametrize("name", ["archive", "tar", "plain", "packed", "bzip2", "xz"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_one_that_is_cut_off_never_stands_on_its_end(dumps, tmp_path, name, share):
    content = (dumps / name).read_bytes()
    (tmp_path / "cut").write_bytes(content[: int(len(content) * share)])
    found = proof(tmp_path / "cut", "users")
    if (name, share) == ("tar", 0.99):
        # The end of a tar file is nothing but zeros.
        return
    assert found["failed"] in ("listed", "read", "ended"), found
    assert found["rungs"]["ended"] is not True


@pytest.mark.parametrize("at", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("name", ["packed", "bzip2", "xz"])
def test_a_byte_that_was_turned_is_found_where_the_packing_has_a_checksum(dumps, tmp_path, name, at):
    content = bytearray((dumps / name).read_bytes())
    content[int(len(content) * at)] ^= 0xFF
    (tmp_path / "turned").write_bytes(content)
    assert proof(tmp_path / "turned")["failed"] == "read"


def test_what_is_missing_is_named(dumps):
    found = proof(dumps / "archive", "users", "orders", {"name": "users", "columns": ["id", "email"]})
    assert (found["failed"], found["missing"]) == ("tables", ["public.orders", "public.users.email"])
    assert "public.orders, public.users.email" in found["why"]


@pytest.mark.parametrize(
    ("content", "stands", "says"),
    [
        (b"", ("", "file"), "it is empty"),
        (b"\n", ("", "listed"), "does not begin as a dump"),
        (b"<html>502 Bad Gateway</html>", ("", "listed"), "does not begin as a dump"),
        (b"-- not a dump\nSELECT 1;\n", ("", "listed"), "does not begin as a dump"),
        (packed(b""), ("", "listed"), "does not begin as a dump"),
        (packed(dump(users=3))[:-9], ("listed", "read"), "it is cut off"),
        (packed(dump(users=3)) + b"garbage", ("", "read"), "it is damaged"),
        (dump(users=3, end=""), ("read", "ended"), "its last line is not that of a whole dump"),
        (dump(users=3) + b"COPY public.users (id) FROM stdin;\n", ("read", "ended"), "its last line"),
        (packed(packed(dump(users=3))), ("", ""), "what is packed in it is gzip"),
        (b"Salted__12345678", ("file", ""), "it is encrypted"),
        (b"-----BEGIN PGP MESSAGE-----", ("file", ""), "it is encrypted"),
        (b"age-encryption.org/v1\n", ("file", ""), "it is encrypted"),
        (b"\x85\x02\x0c\x03" + b"\x11" * 50, ("file", ""), "it is encrypted"),
        (packed(b"Salted__12345678"), ("", ""), "it is encrypted"),
        (b"\x28\xb5\x2f\xfd\x00", ("file", ""), "packed with zstd"),
        (b"PGDMP\x01\x0e\x00", ("", "listed"), "pg_restore refuses it"),
        (dump(users=3, end="-- PostgreSQL database dump complete\n\n\\unrestrict abcDEF123\n\n"), ("tables", ""), ""),
    ],
)  # fmt: skip
def test_bad_files(tmp_path, content, stands, says):
    (tmp_path / "one").write_bytes(content)
    found = proof(tmp_path / "one", *(["users"] if stands[0] == "tables" else []))
    if stands == ("", ""):
        assert found["failed"] == ""
    else:
        assert found["failed"] == stands[1]
    assert says in found["why"]
    assert found["rungs"]["tables"] is (True if stands[0] == "tables" else None)


def test_two_streams_in_one_file_and_zeros_at_its_end(tmp_path):
    whole = dump(users=300)
    (tmp_path / "one").write_bytes(gzip.compress(whole[:900]) + gzip.compress(whole[900:]) + b"\0" * 512)
    assert stands_on(proof(tmp_path / "one", "users")) == ("tables", "")


def test_a_bomb_is_not_read_to_its_end(tmp_path):
    with gzip.open(tmp_path / "bomb", "wb") as file:
        file.write(b"--\n-- PostgreSQL database dump\n")
        for _ in range(64):
            file.write(b"\0" * 1024 * 1024)
    began = time.monotonic()
    found = proof(tmp_path / "bomb")
    assert (found["is_bomb"], found["failed"], "over 400 times" in found["why"]) == (True, "read", True)
    assert time.monotonic() - began < 30


def test_a_newer_version_is_said(tmp_path, dumps):
    content = bytearray((dumps / "archive").read_bytes())
    content[6] = 99
    (tmp_path / "new").write_bytes(content)
    found = proof(tmp_path / "new")
    assert (found["is_newer"], found["failed"]) == (True, "")
    assert "its format 1.99" in found["why"]
    older = proof(dumps / "plain", version="9.6.24")
    assert (older["is_newer"], "newer than the server (9)" in older["why"]) == (True, True)


def test_without_pg_restore_nothing_is_known_of_an_archive(dumps):
    found = verify(str(dumps / "archive"), {}, ["/nowhere/pg_restore"], None, Deadline(10))
    assert (found["reached"], found["failed"]) == ("file", "")
    assert "/nowhere/pg_restore cannot be run: No such file or directory" in found["why"]


def test_time_that_is_up_is_no_finding(dumps, tmp_path):
    slow = tmp_path / "pg_restore"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    began = time.monotonic()
    found = verify(str(dumps / "archive"), {}, [str(slow)], None, Deadline(0.5))
    assert (found["failed"], "within 0.5 s" in found["why"]) == ("", True)
    assert time.monotonic() - began < 30


def test_one_that_is_written_to_while_it_is_read_proves_nothing(dumps, tmp_path):
    copy = tmp_path / "copy"
    copy.write_bytes((dumps / "archive").read_bytes())
    touching = tmp_path / "pg_restore"
    touching.write_text(f'#!/bin/sh\necho x >> {copy}\nexec {postgres_programs() / "pg_restore"} "$@"\n')
    touching.chmod(0o755)
    found = verify(str(copy), {}, [str(touching)], None, Deadline(30))
    assert (found["reached"], found["failed"], found["why"]) == ("", "file", "it was written to while it was read")


@given(some.integers(1, 4000), some.lists(some.integers(0, 30), min_size=1, max_size=4))
def test_a_dump_reads_the_same_in_chunks_of_any_size(size, rows):
    content = dump(**{f"t{number}": count for number, count in enumerate(rows)})
    read = Dump()
    for at in range(0, len(content), size):
        read.feed(content[at : at + size])
    assert {name: one["rows"] for name, one in read.tables.items()} == {
        f"public.t{number}": count for number, count in enumerate(rows)
    }
    assert (read.is_dump, read.is_complete, read.server_version) == (True, True, "15.18")


@given(some.binary(max_size=600))
def test_anything_can_be_looked_at(content):
    assert kind_of(content)
    read = Dump()
    read.feed(content)
    listed(content.decode("utf-8", "replace"))
    assert unsupported(content.decode("utf-8", "replace")) == ""
    assert not read.is_complete or b"dump complete" in content


@pytest.mark.parametrize("tables", [[1], [{}], [{"name": ""}], [{"name": "x", "columns": "id"}]])
def test_tables_that_are_not_described_right(tables):
    with pytest.raises(ValueError, match=r"tables must|columns of"):
        expected_tables(tables)


def test_the_rungs_are_in_the_order_of_what_they_prove():
    assert RUNGS == ("file", "listed", "read", "ended", "tables", "restored")
