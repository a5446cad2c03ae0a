#!/bin/sh
# Makes the database on an empty volume and starts it. Works with the official image and with Debian's packages.
set -eu
PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"
data=/var/lib/postgresql/data/cluster
as_postgres="setpriv --reuid=postgres --regid=postgres --init-groups"
cd /var/lib/postgresql

mkdir -p /var/run/postgresql
chown postgres:postgres /var/run/postgresql /var/lib/postgresql/data
if [ ! -d "$data" ]; then
    rm -rf "$data.partial"
    $as_postgres initdb -D "$data.partial" -U postgres -E UTF8 --no-locale --no-sync --auth-local=trust \
        --auth-host=scram-sha-256 >/dev/null
    echo "host all all all scram-sha-256" >>"$data.partial/pg_hba.conf"
    # Without a server objects get numbers of the system's own, and pg_dump leaves out an extension that has one.
    $as_postgres pg_resetwal --next-oid=16384 -D "$data.partial" >/dev/null
    # As root, because nobody else may read the passwords.
    $as_postgres postgres --single -j -F -D "$data.partial" -c exit_on_error=on postgres </run/secrets/roles.sql
    $as_postgres postgres --single -j -F -D "$data.partial" -c exit_on_error=on labpics </srv/schema.sql
    mv "$data.partial" "$data"
fi
# ALTER SYSTEM's own file, and so what a runbook changed, stays.
cp /srv/postgresql.conf "$data/postgresql.conf"
chown postgres:postgres "$data/postgresql.conf"
# Of a container that was killed: what this file names does not run any more.
rm -f "$data/postmaster.pid"
exec $as_postgres postgres -D "$data"
