-- The owner of a shared list names subscribers; an agency's reads are compared with it only once an
-- administrator of that agency has accepted, and until one declines or the owner ends it.
CREATE TABLE hotlist_subscription (
    list_id uuid NOT NULL REFERENCES hotlist_list,
    agency_id text NOT NULL, -- the subscriber
    version integer NOT NULL CHECK (version >= 1),
    state text NOT NULL CHECK (state IN ('offered', 'accepted', 'declined', 'ended')),
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (list_id, agency_id)
);
CREATE TABLE hotlist_subscription_version (
    list_id uuid NOT NULL,
    agency_id text NOT NULL,
    version integer NOT NULL,
    state text NOT NULL,
    changed_at timestamptz NOT NULL,
    person_id text NOT NULL,
    person_name text NOT NULL,
    person_agency_id text NOT NULL,
    why text NOT NULL,
    before_state text,
    PRIMARY KEY (list_id, agency_id, version),
    FOREIGN KEY (list_id, agency_id) REFERENCES hotlist_subscription
);
REVOKE DELETE, TRUNCATE ON hotlist_subscription FROM alpr_matcher;
REVOKE UPDATE, DELETE, TRUNCATE ON hotlist_subscription_version FROM alpr_matcher;

ALTER TABLE hotlist_subscription ENABLE ROW LEVEL SECURITY;
ALTER TABLE hotlist_subscription FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON hotlist_subscription
    USING (agency_id = current_setting('alpr.agency_id', true));
CREATE POLICY own_list ON hotlist_subscription
    USING (EXISTS (SELECT FROM hotlist_list l WHERE l.list_id = hotlist_subscription.list_id
                   AND l.agency_id = current_setting('alpr.agency_id', true)));
CREATE POLICY across_agencies ON hotlist_subscription TO CURRENT_USER USING (true);
ALTER TABLE hotlist_subscription_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE hotlist_subscription_version FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON hotlist_subscription_version
    USING (agency_id = current_setting('alpr.agency_id', true));
CREATE POLICY own_list ON hotlist_subscription_version
    USING (EXISTS (SELECT FROM hotlist_list l WHERE l.list_id = hotlist_subscription_version.list_id
                   AND l.agency_id = current_setting('alpr.agency_id', true)));
CREATE POLICY across_agencies ON hotlist_subscription_version TO CURRENT_USER USING (true);

-- Whom a list serves was changed so many times, and its entries follow in the background.
ALTER TABLE hotlist_list
    ADD COLUMN serve_wanted integer NOT NULL DEFAULT 0,
    ADD COLUMN serve_done integer NOT NULL DEFAULT 0;

-- Whoever was named so far was never asked: they are now, and are served once they accept.
INSERT INTO hotlist_subscription (list_id, agency_id, version, state, changed_at)
    SELECT list_id, unnest(subscribed_agency_ids), 1, 'offered', now() FROM hotlist_list;
INSERT INTO hotlist_subscription_version (list_id, agency_id, version, state, changed_at,
        person_id, person_name, person_agency_id, why)
    SELECT s.list_id, s.agency_id, 1, 'offered', s.changed_at, 'migration', 'Migration',
        l.agency_id, 'named before subscribers were asked'
    FROM hotlist_subscription s JOIN hotlist_list l USING (list_id);
UPDATE hotlist_list SET serve_wanted = 1 WHERE subscribed_agency_ids <> '{}';

-- What a subscriber decides concerns another agency's list: this much of it, by this function alone.
CREATE FUNCTION want_served(wanted uuid)
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    UPDATE hotlist_list SET serve_wanted = serve_wanted + 1
    WHERE list_id = wanted
      AND current_setting('alpr.agency_id', true) = ANY (agency_id || subscribed_agency_ids)
$$;
CREATE FUNCTION lists_to_serve()
RETURNS TABLE (list_id uuid, agency_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT list_id, agency_id FROM hotlist_list WHERE serve_done < serve_wanted
$$;
