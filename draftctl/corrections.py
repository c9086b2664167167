"""A person's verdicts on a draft: which one stands, how much an edit changed, and what a correction remembers for training. Pure.

Verdicts are only ever appended. `undone` withdraws the last one that stands, so what stood before it stands again.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson
from rapidfuzz.distance import Levenshtein

REASON_TAGS = ("voice", "fact", "rule", "too-long", "pushy", "intent", "template", "timing", "not-model-fault")
"""What the keys 1 to 9 of a review say; a tag may be any other word as well."""
NOT_MODEL_FAULT = "not-model-fault"
SHA_CHARS = 64
MARK = "{{sha256:"  # a stored prompt begins with it where its context is kept once, under its hash


class Given(NamedTuple):
    """One row of `prospect_corrections`, as far as it says which verdict stands."""

    id: int
    verdict: str
    undoes: int | None


def standing(rows: Iterable[Given]) -> int | None:
    """Return the id of the correction that stands, given a draft's rows from the oldest on; None when none does."""
    stack: list[int] = []
    for row in rows:
        if row.verdict == "undone":
            stack = [given for given in stack if given != row.undoes]
        else:
            stack.append(row.id)
    return stack[-1] if stack else None


def edit_share(original: str | None, final: str | None) -> float | None:
    """Return the share of a text that was changed: 0 as it was, 1 nothing left (normalised Levenshtein distance); None without one."""
    if not original or not final:
        return None
    return round(Levenshtein.normalized_distance(original, final), 4)


def normalised(text: str) -> str:
    """Return a text as duplicates are found: one case, one width, letters and digits alone."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def clean(text: str) -> str:
    """Return a text as it is kept: composed (NFC), one kind of line end, no half characters, nothing around it."""
    text = text.encode(errors="replace").decode() if any("\ud800" <= c <= "\udfff" for c in text) else text
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").strip()


def scope_tokens(template_key: str | None, archetype: str | None, state: str | None) -> str:
    """Return the words that stand for a cell in the few-shot index, one for each field that is set."""
    fields = (("k", template_key), ("a", archetype), ("s", state))
    return " ".join(scope_token(prefix, value) for prefix, value in fields if value)


def scope_token(prefix: str, value: str) -> str:
    """Return the word that stands for one value; a key such as ① is no word of its own to a tokenizer."""
    return prefix + hashlib.sha256(value.encode()).hexdigest()[:16]


def stored_prompt(messages: Sequence[tuple[str, str]], shared: str | None) -> str:
    """Return a prompt as it is kept with a correction: the JSON of its messages, the context that many share named by its hash alone.

    `messages` are (role, content), the first one without the shared text, whose sha256 is `shared`.
    """
    parts = [{"role": role, "content": content} for role, content in messages]
    if shared is not None:
        parts[0]["content"] = f"{MARK}{shared}}}}}{parts[0]['content']}"
    return orjson.dumps(parts).decode()


def loaded_prompt(stored: str | bytes) -> tuple[list[tuple[str, str]], str | None]:
    """Return the messages of a stored prompt, and the hash of the shared text that belongs before the first."""
    messages = [(part["role"], part["content"]) for part in orjson.loads(stored)]
    role, content = messages[0]
    if not content.startswith(MARK):
        return messages, None
    end = len(MARK) + SHA_CHARS
    messages[0] = (role, content[end + 2 :])
    return messages, content[len(MARK) : end]


def duplicate_key(inbound: str, reply: str) -> int:
    """Return the number under which the same message with the same reply is found again, however both are written (63 bits)."""
    digest = hashlib.sha256(f"{normalised(inbound)}\0{normalised(reply)}".encode(errors="replace")).digest()
    return int.from_bytes(digest[:8]) >> 1
