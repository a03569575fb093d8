-- The camera registry (131.3-fixed) with the attestation of each site (131.6-3a). It holds no ALPR
-- data. Of a credential only its SHA-256 is stored: 256 random bits need no salt and no slow hash.
CREATE TABLE camera (
    -- Across agencies: it is the key of the frames' topic and part of every frame's id.
    camera_id text PRIMARY KEY CHECK (camera_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    agency_id text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('fixed', 'mobile')),
    latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    heading_degrees double precision CHECK (heading_degrees >= 0 AND heading_degrees < 360),
    attestation jsonb,
    privacy_masks jsonb NOT NULL DEFAULT '[]',
    credential_sha256 bytea NOT NULL CHECK (length(credential_sha256) = 32),
    registered_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    retired_at timestamptz,
    CHECK ((latitude IS NULL) = (longitude IS NULL)),
    CHECK (kind = 'mobile' OR latitude IS NOT NULL)
);
CREATE INDEX camera_by_agency ON camera (agency_id, camera_id);

ALTER TABLE camera ENABLE ROW LEVEL SECURITY;
ALTER TABLE camera FORCE ROW LEVEL SECURITY;
CREATE POLICY camera_of_agency ON camera
    USING (agency_id = current_setting('alpr.agency_id', true));
-- A credential names its camera before anybody knows the agency: that one row may be looked at.
CREATE POLICY camera_of_credential ON camera FOR SELECT
    USING (camera_id = current_setting('alpr.camera_id', true));

-- As alpr_common.outbox expects it.
CREATE TABLE outbox (
    outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    value bytea,
    headers jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
