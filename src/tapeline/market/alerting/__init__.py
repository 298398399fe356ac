"""Alert rules as data: what people may ask for, decided in finished minutes of the session, never by a clock."""
