"""Words that many rows share (models, finish reasons), stored once and named by number."""

from __future__ import annotations

import sqlite3


class Terms:
    """Numbers for words, both ways, remembered while the program runs."""

    def __init__(self) -> None:
        self._by_text: dict[str, int] = {}
        self._by_number: dict[int, str] = {}

    def number(self, connection: sqlite3.Connection, text: str | None) -> int | None:
        """The number of a word; a new word is stored in the running transaction."""
        if text is None:
            return None
        number = self._by_text.get(text)
        if number is None:
            number = self._find(connection, text)
        return number

    def _find(self, connection: sqlite3.Connection, text: str) -> int:
        found = connection.execute("SELECT pk FROM terms WHERE text=?", (text,)).fetchone()
        if found is None:
            cursor = connection.execute("INSERT INTO terms (text) VALUES (?)", (text,))
            # Not remembered: the transaction that stores it may still be rolled back.
            return int(cursor.lastrowid or 0)
        self._by_text[text] = found[0]
        return int(found[0])

    def text(self, connection: sqlite3.Connection, number: int | None) -> str | None:
        """The word for a number."""
        if number is None:
            return None
        text = self._by_number.get(number)
        if text is None:
            (text,) = connection.execute("SELECT text FROM terms WHERE pk=?", (number,)).fetchone()
            self._by_number[number] = text
        return text
