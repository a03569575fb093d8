COMMENT ON TABLE seen_plate IS
    'which plates an agency saw on which day; asked by seen_plates() alone (docs/decisions/0012)';
