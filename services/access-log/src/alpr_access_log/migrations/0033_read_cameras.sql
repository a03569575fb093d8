-- What passed one camera around a moment: convoy questions and sweeps of cameras.
CREATE INDEX read_camera ON read (agency_id, camera_id, captured_at);
