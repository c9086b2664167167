"""A database full of corrections, put there without the work of reviewing: what the benchmarks of export and few-shot run on."""

import random
import sqlite3
from pathlib import Path

from draftctl.corrections import duplicate_key, scope_tokens
from draftctl.models import sha256_text
from draftctl.redaction import VERSION
from draftctl.store.db import open_database
from draftctl.store.training import redacted

WORDS_TEXT = """
hello hi thanks for your message i would love to meet on friday evening are you free what time works best let me know a little about
yourself and how you found me see you soon maybe next week then sounds good take care looking forward to it quiet dinner first walk by
the river museum weekend city travel work conference late early morning coffee garden rain summer book film music
"""  # a text for a benchmark
WORDS = WORDS_TEXT.split()
CONTEXT = (
    "You are Quinn and write replies to messages.\n"
    + "# Rules\nNo price, no service, nothing that identifies anybody.\n" * 20
)
KEYS = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰"
VARIANTS = 4000  # threads that go through the real redaction; more differ by a number


def fill(path: Path, count: int, *, seed: int = 1, index: bool = False) -> float:
    """Put so many corrections of half as many persons into a new database; return the CPU seconds that redacting one took."""
    import time  # noqa: PLC0415

    chance = random.Random(seed)
    connection = open_database(path)
    for pragma in ("foreign_keys=OFF", "synchronous=OFF", "journal_mode=MEMORY", "cache_size=-200000"):
        connection.execute(f"PRAGMA {pragma}")
    shared = sha256_text(CONTEXT)
    connection.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (shared, CONTEXT))
    began = time.process_time()
    variants = [_variant(chance, shared) for _ in range(min(VARIANTS, count))]
    each = (time.process_time() - began) / len(variants)
    connection.execute("BEGIN")
    for start in range(0, count, 10_000):
        numbers = range(start + 1, min(start + 10_000, count) + 1)
        connection.executemany(_CORRECTION, [_correction(n, variants[n % len(variants)], shared) for n in numbers])
        connection.executemany(_TEXTS, [_texts(n, variants[n % len(variants)]) for n in numbers])
    if index:
        connection.execute(
            "INSERT INTO few_shot_pool SELECT id, draft_id FROM prospect_corrections WHERE body IS NOT NULL"
        )
        connection.execute(
            "INSERT INTO few_shot (rowid, scope, inbound, body) SELECT id, scope, inbound, body FROM prospect_corrections WHERE body IS NOT NULL"
        )
    connection.execute("COMMIT")
    connection.close()
    return each


_CORRECTION = (
    "INSERT INTO prospect_corrections (id, draft_id, candidate_id, thread_id, person_id, engine_id, workflow_id, workflow_version, "
    "semantic_hash, bundle_hash, git_commit, template_key, archetype, state, verdict, original, body, tags, author, inbound, prompt_hash, "
    "edit_share, scope, active_ms, created_at) VALUES (?, ?, ?, ?, ?, 'do-gpu-x_2026-06-29.1', 'first-reply', '1', ?, ?, ?, ?, 'courteous', "
    "'new', ?, ?, ?, '[]', 'ann', ?, ?, 0.2, ?, 4000, '2026-11-25T10:00:00.000+00:00')"
)
_TEXTS = "INSERT INTO training_texts VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?, '[\"Sam\"]')"


def _variant(chance: random.Random, shared: str) -> tuple[str, ...]:
    inbound, original, final = (_said(chance, n) for n in (18, 25, 25))
    inbound += chance.choice(("", "", " call me at 416-555-0123", " at 8pm", " i'm sam.h@example.com"))
    thread = f"# Thread\n<<<\nthem> {_said(chance, 12)}\nus> {_said(chance, 15)}\nthem> {inbound}\nfact> name: Sam\n>>>\n\nThink: what do they want"
    prompt = [
        ("user", thread),
        ("assistant", _said(chance, 14)),
        ("user", "Write the reply: in Quinn's voice, <=320 chars."),
    ]
    texts = redacted(prompt, shared, ["Sam"], inbound=inbound, original=original, final=final)
    return texts.prompt or "", texts.inbound, texts.original or "", texts.final or ""


def _said(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(WORDS, k=count))


def _verdict(n: int) -> str:
    return ("approved", "edited", "approved", "edited", "rejected")[n % 5]


def _correction(n: int, variant: tuple[str, ...], shared: str) -> tuple[object, ...]:
    _, inbound, original, final = variant
    verdict, key = _verdict(n), KEYS[n % len(KEYS)]
    body = {"approved": f"{original} {n}", "edited": f"{final} {n}", "rejected": None}[verdict]
    draft = f"d{n * 2654435761 % (1 << 44):011x}"
    return (
        n, draft, f"m-{n}", f"t-{n // 2}", f"p-{n // 2}", shared, shared, shared[:40], key, verdict, f"{original} {n}", body,
        f"{inbound} {n}", shared, scope_tokens(key, "courteous", "new"),
    )  # fmt: skip


def _texts(n: int, variant: tuple[str, ...]) -> tuple[object, ...]:
    prompt, inbound, original, final = variant
    body = {"approved": f"{original} {n}", "edited": f"{final} {n}", "rejected": None}[_verdict(n)]
    inbound, original = f"{inbound} {n}", f"{original} {n}"
    keys = (duplicate_key(inbound, original), duplicate_key(inbound, body) if body else None)
    return n, VERSION, prompt, inbound, original, body, *keys


def connect(path: Path) -> sqlite3.Connection:
    """Open such a database."""
    return open_database(path)
