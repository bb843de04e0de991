"""The words of the field as frozen types: pure, without I/O, SQL, HTTP or a screen."""
