"""A provider's own codes and whether what failed with them can be sent again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class RetryRules(Mapping[str, bool]):
    """A mapping of codes that also knows families: ``"SYSTEM_9*"`` holds all that start so.

    A code that is named itself wins over its family, a longer family over a shorter one.
    """

    def __init__(self, rules: Mapping[str, bool]) -> None:
        self._exact = {code: again for code, again in rules.items() if not code.endswith("*")}
        families = ((code[:-1], again) for code, again in rules.items() if code.endswith("*"))
        self._families = sorted(families, key=lambda family: -len(family[0]))
        self._length = len(rules)

    def __getitem__(self, code: str) -> bool:
        if code in self._exact:
            return self._exact[code]
        for start, again in self._families:
            if code.startswith(start):
                return again
        raise KeyError(code)

    def __iter__(self) -> Iterator[str]:
        yield from self._exact
        yield from (f"{start}*" for start, _ in self._families)

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"RetryRules({dict(self)!r})"
