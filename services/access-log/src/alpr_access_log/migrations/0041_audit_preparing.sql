-- A package is prepared in the background: it is there from the moment that somebody asks for it, and
-- says how far it is, or why it failed.
ALTER TABLE audit_package
    ADD COLUMN state text NOT NULL DEFAULT 'ready'
        CHECK (state IN ('preparing', 'ready', 'failed')),
    ADD COLUMN asked_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN prepared_by_role text,
    ADD COLUMN prepared_by_session_id text,
    ADD COLUMN prepared_by_address text,
    ADD COLUMN step text,
    ADD COLUMN progress real NOT NULL DEFAULT 0 CHECK (progress >= 0 AND progress <= 1),
    ADD COLUMN failure text,
    -- What identity said, asked with the token of whoever asked, which is not kept: work that another
    -- process takes up has nothing to ask with. Gone as soon as the package is ready or failed.
    ADD COLUMN identity json,
    ALTER COLUMN prepared_at DROP NOT NULL,
    ALTER COLUMN summary DROP NOT NULL,
    ALTER COLUMN files DROP NOT NULL,
    ADD CONSTRAINT audit_package_ready_is_whole CHECK (state <> 'ready'
        OR (prepared_at IS NOT NULL AND summary IS NOT NULL AND files IS NOT NULL)),
    ADD CONSTRAINT audit_package_failed_says_why CHECK ((state = 'failed') = (failure IS NOT NULL)),
    ADD CONSTRAINT audit_package_done_keeps_no_answers CHECK (state = 'preparing' OR identity IS NULL);

ALTER TABLE audit_package NO FORCE ROW LEVEL SECURITY;
UPDATE audit_package SET asked_at = prepared_at, progress = 1;
ALTER TABLE audit_package FORCE ROW LEVEL SECURITY;

DROP INDEX audit_package_order;
CREATE INDEX audit_package_order ON audit_package (agency_id, asked_at DESC, package_id DESC);

-- What is ready or failed stays as it is.
GRANT UPDATE (state, step, progress, failure, identity, prepared_at, summary, files)
    ON audit_package TO alpr_access_log;
CREATE POLICY audit_package_stays ON audit_package AS RESTRICTIVE FOR UPDATE
    USING (state = 'preparing') WITH CHECK (true);

-- Which packages are being prepared, one at a time for each agency, and by which process: `claim` is
-- that of the work under way, `claimed_until` when it counts as dead. Ids alone, so without row-level
-- security: any process takes up what another has left, whatever agency's it is.
CREATE TABLE audit_preparing (
    package_id uuid PRIMARY KEY REFERENCES audit_package,
    agency_id text NOT NULL UNIQUE,
    claim uuid NOT NULL,
    claimed_until timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 1 CHECK (attempts > 0)
);
