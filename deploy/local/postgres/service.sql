-- One service's two roles and its schema. Run by psql as a superuser, connected to the database, with
-- -v service=… and the passwords in the environment (a command line is readable by everybody on the
-- machine). Running it again changes nothing but the passwords.
--
-- alpr_<service>_owner owns the schema and runs the migrations. alpr_<service> is what the running
-- service signs in as: it owns nothing, so row-level security binds it, and it cannot undo a
-- REVOKE that a migration made (the append-only tables of the log rest on that).
\getenv owner_password ALPR_OWNER_PASSWORD
\getenv runtime_password ALPR_RUNTIME_PASSWORD
SELECT 'alpr_' || :'service' AS runtime, 'alpr_' || :'service' || '_owner' AS owner,
       current_database() AS database
\gset

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY[:'owner', :'runtime']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
ALTER ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    PASSWORD :'owner_password';
ALTER ROLE :"runtime" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    PASSWORD :'runtime_password';

-- TEMPORARY: rows are staged in a temporary table by COPY before they are merged.
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO :"owner", :"runtime";
REVOKE ALL ON SCHEMA public FROM PUBLIC;

SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS :"service" AUTHORIZATION :"owner";
REVOKE ALL ON SCHEMA :"service" FROM PUBLIC;
GRANT USAGE ON SCHEMA :"service" TO :"runtime";

-- pg_temp is named last: unnamed it would be searched first, and a temporary table could stand in
-- for a real one.
ALTER ROLE :"owner" IN DATABASE :"database" SET search_path = :"service", pg_temp;
ALTER ROLE :"runtime" IN DATABASE :"database" SET search_path = :"service", pg_temp;

-- What the owner's migrations create, the service can use without each migration saying so.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"service"
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"runtime";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"service"
    GRANT USAGE, SELECT ON SEQUENCES TO :"runtime";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"service"
    GRANT EXECUTE ON FUNCTIONS TO :"runtime";
