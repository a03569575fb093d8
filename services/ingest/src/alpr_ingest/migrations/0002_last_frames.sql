-- When the last frame was taken from each camera. A table of its own: it is written while cameras
-- send, and must neither wait for who is changing a camera's row nor count as a change of it.
CREATE TABLE camera_last_frame (
    camera_id text PRIMARY KEY REFERENCES camera,
    agency_id text NOT NULL,
    taken_at timestamptz NOT NULL
);

ALTER TABLE camera_last_frame ENABLE ROW LEVEL SECURITY;
ALTER TABLE camera_last_frame FORCE ROW LEVEL SECURITY;
CREATE POLICY camera_last_frame_of_agency ON camera_last_frame
    USING (agency_id = current_setting('alpr.agency_id', true));
