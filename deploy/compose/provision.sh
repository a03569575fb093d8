#!/bin/sh
# Brings the database, roles, schemas and privileges to their wanted state, with the same SQL as the
# local stack (deploy/local/postgres). Runs in PostgreSQL's image before the services start, every time.
set -eu

secrets=${ALPR_SECRETS_FOLDER:-/run/alpr}
sql=${ALPR_SQL_FOLDER:-/sql}
secret() { cat "$secrets/$1.password"; }

PGPASSWORD=$(secret superuser)
export PGPASSWORD PGHOST="${PGHOST:-postgres}" PGUSER="${PGUSER:-postgres}"
run() { psql -Xq -v ON_ERROR_STOP=1 "$@"; }

run -d postgres -v database=alpr -f "$sql/database.sql"
grep -v -e '^#' -e '^[[:space:]]*$' "$sql/services.txt" | while read -r service; do
    ALPR_OWNER_PASSWORD=$(secret "alpr_${service}_owner") \
        ALPR_RUNTIME_PASSWORD=$(secret "alpr_${service}") \
        run -d alpr -v "service=$service" -f "$sql/service.sql" </dev/null
done
