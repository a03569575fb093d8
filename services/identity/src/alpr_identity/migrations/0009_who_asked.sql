-- Who asked for a step, so that one who asks for too many takes the room of their own and not of
-- others: a session, an IPv4 address or an IPv6 network. Kept for as long as the step: minutes.
ALTER TABLE sign_in_step ADD COLUMN asked_by text NOT NULL DEFAULT '';
ALTER TABLE sign_in_step ADD COLUMN asked_at timestamptz NOT NULL DEFAULT now();
