-- Passkeys (WebAuthn), and people whom an agency's own provider (OpenID Connect) signs in.

-- What a browser was asked to answer: taken once, and only while it is fresh. Nobody is named.
CREATE TABLE sign_in_step (
    key_sha256 bytea PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('passkey_added', 'passkey_sign_in', 'provider')),
    -- The session that asked for it; empty while nobody is signed in.
    bound_to text NOT NULL DEFAULT '',
    content jsonb NOT NULL DEFAULT '{}',
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_in_step_expiry ON sign_in_step (expires_at);

CREATE TABLE passkey (
    passkey_id uuid PRIMARY KEY,
    credential_id bytea NOT NULL UNIQUE,
    agency_id text NOT NULL,
    person_id uuid NOT NULL REFERENCES person,
    -- The attested credential data of WebAuthn: authenticator model, credential id, public key.
    credential_data bytea NOT NULL,
    sign_count bigint NOT NULL,
    -- Whether it may lie in a keychain that is synced, on more than one device.
    is_synced boolean NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX passkey_of_person ON passkey (person_id);

-- Who the provider's subject is here. One subject of an issuer per person, one person per subject.
CREATE TABLE provider_link (
    issuer text NOT NULL,
    subject text NOT NULL,
    agency_id text NOT NULL,
    person_id uuid NOT NULL REFERENCES person,
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (agency_id, issuer, subject),
    UNIQUE (person_id, issuer)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['passkey', 'provider_link'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I USING (agency_id = current_setting(''alpr.agency_id'', true)) '
            'WITH CHECK (agency_id = current_setting(''alpr.agency_id'', true))',
            name || '_of_agency', name);
    END LOOP;
END
$$;
-- Signing in begins with a credential alone: exactly that row can be looked at.
CREATE POLICY passkey_signing_in ON passkey FOR SELECT
    USING (credential_id = decode(current_setting('alpr.signing_in_with', true), 'hex'));
