"""The table of commands and keys, their dispatch and the palette."""
