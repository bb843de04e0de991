"""A sample file of requests that shows everything the sandbox can do."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tui.paths import open_private, private_folder

ROWS = 200

_ITEMS = ("kettle", "desk lamp", "rain jacket", "headphones", "backpack", "coffee grinder")
_OPINIONS = (
    "Works as promised, would buy again.",
    "Arrived late and the box was open, but it works.",
    "Stopped working after a week. Very disappointed!",
    "Great value. My partner wants one as well.",
    "Neither good nor bad; it does what it should.",
)
_FATES = {
    9: "sandbox:flaky=429",
    17: "sandbox:flaky=500",
    31: "sandbox:truncate",
    43: "sandbox:refuse",
    61: "sandbox:fail=400",
}
"""Row number (within a hundred) to the word that makes the sandbox misbehave."""


def write_sample(folder: Path) -> Path:
    """Write the sample into a folder and give back its path.

    Of its 200 rows most succeed; some fail once and succeed when sent again, and two fail
    for good.
    """
    path = private_folder(folder) / "sample-reviews.jsonl"
    with os.fdopen(open_private(path), "w", encoding="utf-8") as stream:
        for number in range(ROWS):
            stream.write(json.dumps(_request(number), ensure_ascii=False) + "\n")
    return path


def _request(number: int) -> dict[str, object]:
    item = _ITEMS[number % len(_ITEMS)]
    review = f"{_OPINIONS[number % len(_OPINIONS)]} ({item})"
    fate = _FATES.get(number % 100)
    return {
        "custom_id": f"review-{number + 1:04}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "sandbox-small",
            "max_tokens": 200,
            "messages": [
                {"role": "system", "content": "Say in one sentence what this customer feels."},
                {"role": "user", "content": f"{review}\n{fate}" if fate else review},
            ],
        },
    }
