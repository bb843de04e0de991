"""Provider profiles: the TOML files, their schema and how they are loaded."""
