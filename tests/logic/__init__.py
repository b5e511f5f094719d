"""Pure logic: no browser, no server, literal values or an independent oracle."""
