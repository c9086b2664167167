"""Exports: nothing leaks between the splits, nothing personal leaves, the same database gives the same bytes, and every row is accounted for."""

import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from draftctl.corrections import duplicate_key, normalised, stored_prompt
from draftctl.redaction import VERSION, names_in, redact, residual
from draftctl.split import groups, in_training, torn
from draftctl.store.db import open_database
from tests.conftest import BUILD, MACHINE, REPOSITORY, Workspace
from tests.corrected import SALT, draft_chains, inbound, judge
from tests.played_server import PlayedServer

FORMATS = ("sft", "dpo", "kto", "openai", "llamafactory", "axolotl")
PLANTED = (
    "call 416-555-0123", "(416) 555 0199", "+44 20 7946 0958", "4165550123", "4.1.6.5.5.5.0.1.2.3", "four one six five five five oh one two three",
    "７１６ ５５５ ０１２３", "sam.h@example.com", "sam at gmail dot com", "sam (at) example (dot) org", "@sunny_dave", "insta: foo_bar",
    "my snap is sunny.dave22", "telegram t.me/sunny", "www.sunny.example", "https://example.com/sunny", "kik sunny_d22", "12 Oak Street, apt 4",
    "123-45-6789", "4\u200b16\u200b5550123", "06.12.34.56.78", "415 555 oh one two three", "612 then 345 then 67", "bobby_b on snap",
    "Rue de Rivoli 12", "insta name bobbyboy", "my snap bobbyb", "bob#1234 on discord", "bobs-page dot com", "johnsmith gmail",
    "bob{at}mail{dot}de", "john dot smith at gmail dot com",
)  # fmt: skip
WORDS = [
    "amber",
    "basil",
    "cedar",
    "delta",
    "ember",
    "fennel",
    "garnet",
    "hazel",
    "indigo",
    "jasper",
    "kelp",
    "laurel",
    "maple",
    "nectar",
    "ochre",
    "pebble",
    "quartz",
    "rowan",
    "saffron",
    "thistle",
    "umber",
    "violet",
    "willow",
    "xylem",
    "yarrow",
    "zephyr",
    "acorn",
    "birch",
    "clover",
    "daisy",
    "elder",
    "fern",
]
HARMLESS = (
    "see you friday at 8:30", "between 7 and 9 works", "on 2026-11-25 or 26/11/2026", "the 12th of may, 2027", "i am 34, 180 cm", "room for two",
    "insta is fine for me", "at 8.30 on 12.05.2026", "one or two days, three nights", "it takes 20 minutes", "line up at the door", "Nov 25 at 20:15",
)  # fmt: skip


@pytest.fixture(scope="module")
def corrected(laid_out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty chain drafts with verdicts of every kind, and two notes; made once."""
    root = tmp_path_factory.mktemp("corrected") / "workspace"
    shutil.copytree(laid_out, root)
    workspace = Workspace(root)
    with PlayedServer(BUILD) as server:
        draft_chains(
            workspace,
            "".join(inbound(n, f"hi, friday? it is about {WORDS[n]}. {PLANTED[n % len(PLANTED)]}") for n in range(30)),
            server,
        )
    workspace.ok(
        "draft",
        "--batch",
        "--engine",
        "template",
        "-i",
        "-",
        stdin=inbound(30, "hi, a note please") + inbound(31, "hello, another note"),
    )
    texts = {1: "Friday suits me, and {word} too. When?"}
    judge(
        workspace,
        *(
            (
                f"c{n}",
                ("approved", "edited", "approved", "rejected")[n % 4],
                (texts.get(n % 4) or "").format(word=WORDS[n]) or None,
            )
            for n in range(32)
        ),
    )
    return root


@pytest.fixture
def workspace(tmp_path: Path, corrected: Path) -> Workspace:
    shutil.copytree(corrected, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace")


def export(
    workspace: Workspace, format_: str = "sft", *more: str, out: str = "out", engine: str = "all"
) -> dict[str, Any]:
    asked = ("--format", format_, "--out", str(workspace.root / out), "--salt", SALT, "--test-share", "0.3")
    value: dict[str, Any] = workspace.json("export-corrections", "--engine", engine, *asked, *more)
    assert value["counts"]["kept"] + sum(value["dropped"].values()) == value["counts"]["input"]
    return value


def rows(workspace: Workspace, split: str, out: str = "out") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (workspace.root / out / f"{split}.jsonl").read_text().splitlines()]


def test_every_format_has_its_rows_and_its_files(workspace: Workspace) -> None:
    made = {name: export(workspace, name, out=name) for name in FORMATS}
    assert made["sft"]["counts"] == {"input": 32, "kept": 24, "rows": 24}
    assert made["sft"]["dropped"] == {"rejected": 8}
    assert made["kto"]["counts"]["rows"] == 16 + 8 * 2 + 8
    assert made["dpo"]["counts"]["rows"] == 8
    assert made["dpo"]["dropped"]["template"] == 2
    sft = rows(workspace, "train", "sft")[0]
    assert list(sft) == [
        "prompt", "completion", "draftctl_draft_id", "draftctl_correction_id", "draftctl_thread", "draftctl_engine", "draftctl_workflow",
        "draftctl_template_key",
    ]  # fmt: skip
    assert all(isinstance(value, str) for name, value in sft.items() if name.startswith("draftctl_"))
    assert [m["role"] for m in sft["prompt"]] == ["user", "assistant"] * (len(sft["prompt"]) // 2) + ["user"]
    assert sft["prompt"][0]["content"].startswith("You are Quinn")
    dpo = rows(workspace, "train", "dpo")[0]
    assert dpo["chosen"] != dpo["rejected"]
    assert {row["label"] for row in rows(workspace, "train", "kto")} == {True, False}
    assert list(rows(workspace, "train", "openai")[0]) == ["messages"]
    assert [m["train"] for m in rows(workspace, "train", "axolotl")[0]["messages"]][-2:] == [False, True]
    info = json.loads((workspace.root / "llamafactory" / "dataset_info.json").read_text())
    assert info["draftctl_train"]["file_name"] == "train.jsonl"
    for name, manifest in made.items():
        folder = workspace.root / name
        assert {f["path"] for f in manifest["files"]} == {p.name for p in folder.iterdir()} - {"manifest.json"}
        for file in manifest["files"]:
            assert hashlib.sha256((folder / file["path"]).read_bytes()).hexdigest() == file["sha256"]


def test_by_engine_and_template_apart(workspace: Workspace) -> None:
    assert export(workspace, engine=BUILD)["counts"]["input"] == 30
    assert export(workspace, engine="template")["counts"] == {"input": 2, "kept": 1, "rows": 1}
    assert workspace.run("export-corrections", "--engine", "gpt", "--format", "sft", "--out", "x").returncode == 2


def test_nothing_personal_leaves(workspace: Workspace) -> None:
    for name in FORMATS:
        export(workspace, name, out=name)
        for path in (workspace.root / name).iterdir():
            text = path.read_text()
            for planted in PLANTED:
                assert planted not in text, (name, path.name, planted)
            assert "Sam" not in text
    raw = export(workspace, "sft", "--allow-raw", out="raw")
    assert raw["redacted"] is False
    assert raw["counts"] == {"input": 32, "kept": 24, "rows": 24}
    assert (
        PLANTED[0]
        in (workspace.root / "raw" / "train.jsonl").read_text() + (workspace.root / "raw" / "test.jsonl").read_text()
    )


def test_raw_prompts_are_the_bytes_that_were_sent(workspace: Workspace) -> None:
    export(workspace, "sft", "--allow-raw", engine=BUILD)
    for row in rows(workspace, "train") + rows(workspace, "test"):
        shown = workspace.json("show", row["draftctl_draft_id"], "--prompt")
        assert row["prompt"] == shown["steps"][-1]["messages"]


@pytest.mark.parametrize("text", PLANTED)
def test_what_is_planted_is_found(text: str) -> None:
    done = redact(f"hello there, {text} thanks", ())
    assert "[" in done
    assert residual(done) is None
    assert redact(done, ()) == done


def test_what_is_harmless_stays() -> None:
    for text in HARMLESS:
        assert redact(text, ()) == text
        assert residual(text) is None
    names = names_in({"name": "Will Smith", "age": 30, "nickname": "Bo", "note": "x"})
    assert names == ("Will Smith", "Bo")
    assert (
        redact("Will you come, will smith? BO said so. Bob too.", names)
        == "[name] you come, [name]? [name] said so. Bob too."
    )


def test_a_price_of_a_person_never_leaves(workspace: Workspace) -> None:
    workspace.ok("correct", "c0", "--verdict", "edited", "--body", "It is 200 dollars for an hour, thank you.", code=1)
    for name in FORMATS:
        manifest = export(workspace, name, out=name)
        assert manifest["dropped"]["breaks_rule"] == 1
        assert "200 dollars" not in "".join(p.read_text() for p in (workspace.root / name).iterdir())


def test_the_last_verdict_counts_and_reasons_are_told_apart(workspace: Workspace) -> None:
    workspace.ok("correct", "c0", "--verdict", "rejected", "--tag", "not-model-fault")
    workspace.ok("correct", "c1", "--undo")
    workspace.ok("correct", "c2", "--verdict", "edited", "--body", "Another text, on friday.")
    manifest = export(workspace, "kto")
    assert manifest["dropped"] == {"not_model_fault": 1, "superseded": 3, "undone": 1}
    assert manifest["counts"]["input"] == 35


def test_whoever_was_flagged_leaves_and_is_named(workspace: Workspace) -> None:
    before = export(workspace)
    workspace.ok("draft", "--batch", "--engine", "template", "-i", "-", stdin=inbound(99, "im 15", thread="t5"))
    assert export(workspace, out="after")["dropped"]["flagged_person"] == 1
    done = workspace.run(
        "export-corrections", "--engine", "all", "--format", "sft", "--out", str(workspace.root / "x"), "--salt", SALT
    )
    assert before["dataset_id"][:16] in done.stderr


def test_forgetting_names_exports_and_builds(workspace: Workspace) -> None:
    manifest = export(workspace)
    path = next(p for p in (workspace.root / "engines").glob("*.yaml") if BUILD in p.name)
    path.write_text(path.read_text() + f"\ndataset: {manifest['dataset_id']}\n")
    assert workspace.run("forget", "t4").returncode == 2
    done = workspace.json("forget", "t4", "--yes")
    assert (done["candidates"], done["corrections"]) == (1, 1)
    assert [e["dataset_id"] for e in done["exports"]] == [manifest["dataset_id"]]
    assert done["builds"][0] == BUILD
    again = export(workspace, out="after")
    assert again["dropped"]["erased"] == 1
    assert workspace.json("audit", "verify")["ok"]
    texts = workspace.rows("SELECT payload FROM candidates WHERE id = 'c4'")[0]["payload"]
    assert PLANTED[4] not in texts
    assert not workspace.rows("SELECT 1 FROM blobs WHERE instr(content, ?)", f"about {WORDS[4]}.")
    assert (
        workspace.json("ingest", "-", stdin=inbound(4, f"hi, friday? it is about {WORDS[4]}. {PLANTED[4]}"))[
            "duplicates"
        ]
        == 1
    )
    assert workspace.run("correct", "c4", "--verdict", "approved").returncode == 2
    assert workspace.run("requeue", "c4").returncode == 2
    assert workspace.run("forget", "nobody", "--yes").returncode == 2


def test_purge_keeps_what_trains_if_asked(workspace: Workspace) -> None:
    before = export(workspace)
    done = workspace.json("purge", "--older-than", "0d", "--keep-training")
    assert done["candidates"] == 32
    after = export(workspace, out="after")
    assert after["dataset_id"] == before["dataset_id"]
    assert export(workspace, "sft", "--allow-raw", out="raw")["counts"]["kept"] == 0  # what was served is gone
    assert workspace.json("audit", "verify")["ok"]
    assert workspace.json("forget", "t4", "--yes")["exports"]
    assert export(workspace, out="less")["dropped"]["erased"] == 1
    assert workspace.json("purge", "--older-than", "0d")["candidates"] == 0
    assert export(workspace, out="none")["counts"]["kept"] == 0
    assert not workspace.rows("SELECT 1 FROM candidates WHERE instr(payload, 'friday')")


def test_think_steps_go_first_and_the_trail_still_verifies(workspace: Workspace) -> None:
    with PlayedServer(BUILD) as server:
        draft_chains(workspace, inbound(50), server)
    assert workspace.json("purge", "--think-older-than", "0d")["think_steps_of"] == 0  # a person may still judge it
    workspace.ok("hold", "c50", "--reason", "she called")
    done = workspace.json("purge", "--think-older-than", "0d")
    assert done["think_steps_of"] == 1
    steps = workspace.rows(
        "SELECT s.verb, s.output FROM draft_steps s JOIN drafts d ON d.id = s.draft_id WHERE d.candidate_id = 'c50'"
    )
    assert all((row["output"] is None) == (row["verb"] != "draft") for row in steps)
    assert workspace.json("audit", "verify")["ok"]
    connection = sqlite3.connect(workspace.database)
    connection.execute("UPDATE draft_steps SET output = 'changed' WHERE verb = 'draft' AND purged_at IS NOT NULL")
    connection.commit()
    connection.close()
    assert not workspace.json("audit", "verify", code=1)["ok"]


def test_a_key_that_is_gone_needs_a_word_in_the_trail(workspace: Workspace) -> None:
    connection = sqlite3.connect(workspace.database)
    connection.execute(
        "UPDATE candidates SET digest_key = NULL, payload = replace(payload, 'friday', 'sunday') WHERE id = 'c7'"
    )
    connection.commit()
    connection.close()
    assert "its key is gone" in workspace.json("audit", "verify", code=1)["reason"]


def test_the_same_database_gives_the_same_bytes(workspace: Workspace, tmp_path: Path) -> None:
    """Another Python where there is one, other hash seeds, and rows that were put in the other way round."""
    whole = _sums(workspace, "a", export(workspace, "kto", out="a"))
    for seed in ("1", "2"):
        asked = workspace.command(
            "export-corrections",
            "--engine",
            "all",
            "--format",
            "kto",
            "--out",
            str(workspace.root / seed),
            "--salt",
            SALT,
            "--test-share",
            "0.3",
        )
        subprocess.run(
            asked, cwd=workspace.root, check=True, capture_output=True, env={**MACHINE, "PYTHONHASHSEED": seed}
        )
        assert _sums(workspace, seed) == whole
    _turn_round(workspace.database)
    assert _sums(workspace, "b", export(workspace, "kto", out="b")) == whole
    other = os.environ.get("OTHER_PYTHON")
    if other:
        asked = [
            other,
            *workspace.command(
                "export-corrections",
                "--engine",
                "all",
                "--format",
                "kto",
                "--out",
                str(workspace.root / "c"),
                "--salt",
                SALT,
                "--test-share",
                "0.3",
            )[1:],
        ]
        subprocess.run(
            asked, cwd=workspace.root, check=True, capture_output=True, env={**MACHINE, "PYTHONPATH": str(REPOSITORY)}
        )
        assert _sums(workspace, "c") == whole
    assert tmp_path


def _sums(workspace: Workspace, out: str, manifest: dict[str, Any] | None = None) -> dict[str, str]:
    folder = workspace.root / out
    sums = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "manifest.json"
    }
    read = json.loads((folder / "manifest.json").read_text())
    assert manifest is None or read == manifest
    return {**sums, "manifest": json.dumps({k: v for k, v in read.items() if not k.endswith("_at")})}


def _turn_round(path: Path) -> None:
    """Put the rows of the tables that an export reads in again, the last first."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("DROP TRIGGER corrections_no_delete")
    for table, key in (("prospect_corrections", "id"), ("training_texts", "correction_id"), ("blobs", "sha256")):
        connection.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table}")
        connection.execute(f"DELETE FROM {table}")
        connection.execute(f"INSERT INTO {table} SELECT * FROM kept ORDER BY {key} DESC")
        connection.execute("DROP TABLE kept")
    connection.close()


def test_a_foreign_folder_is_left_alone_and_a_kill_leaves_no_half_export(workspace: Workspace) -> None:
    folder = workspace.root / "mine"
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    done = workspace.run("export-corrections", "--engine", "all", "--format", "sft", "--out", str(folder))
    assert done.returncode == 2
    assert (folder / "README.md").read_text() == "mine"
    (folder / "manifest.json").write_text('{"my": 1}')
    assert (
        workspace.run("export-corrections", "--engine", "all", "--format", "sft", "--out", str(folder)).returncode == 2
    )
    assert (folder / "README.md").read_text() == "mine"
    out = str(workspace.root / "out")
    for n in range(1, 6):
        killed = workspace.run(
            "export-corrections",
            "--engine",
            "all",
            "--format",
            "sft",
            "--out",
            out,
            DRAFTCTL_FAILPOINT=f"export.before_rename:{n}",
        )
        assert killed.returncode == -9
        assert not (workspace.root / "out" / "manifest.json").exists()
        shutil.rmtree(workspace.root / "out")
    export(workspace)
    export(workspace)  # over itself


def test_an_older_redaction_is_done_again(workspace: Workspace) -> None:
    before = export(workspace)
    connection = sqlite3.connect(workspace.database)
    connection.execute("UPDATE training_texts SET redactor = ?, final = final || ' call 416-555-0123'", (VERSION - 1,))
    connection.commit()
    connection.close()
    after = export(workspace, out="after")
    assert after["counts"] == before["counts"]
    assert "416-555" not in (workspace.root / "after" / "train.jsonl").read_text()
    assert "[phone]" in (workspace.root / "after" / "train.jsonl").read_text()


def test_two_persons_who_turn_out_to_be_one_are_not_torn_apart() -> None:
    def trains(person: str) -> bool:
        return in_training(person, salt=SALT, test_share=0.3)

    people = [f"p{n}" for n in range(200)]
    train, test = next(p for p in people if trains(p)), next(p for p in people if not trains(p))
    other = next(p for p in people if trains(p) and p != train)
    group_of = groups([(train, other), (other, test)])
    assert torn(group_of, trains) == {train, other, test}
    assert torn(groups([(train, other)]), trains) == frozenset()


# a hundred thousand histories


def fill_histories(path: Path, chance: random.Random, start: int, count: int) -> None:
    """Put random histories in: verdicts, second thoughts, persons who turn out to be one, flags, and the same words again and again."""
    connection = open_database(path)
    for pragma in ("foreign_keys=OFF", "synchronous=OFF", "journal_mode=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    id_ = connection.execute("SELECT coalesce(max(id), 0) FROM prospect_corrections").fetchone()[0]
    corrections, texts = [], []
    for n in range(start, start + count):
        person = f"p{n}"
        for k in range(chance.randrange(1, 3)):
            said = _vary(chance, f"are you free on day {chance.randrange(400)}")
            last = 0
            for _ in range(chance.choice((1, 1, 1, 2, 3))):
                id_ += 1
                verdict = chance.choice(("approved", "edited", "rejected", *(("undone",) if last else ())))
                original = _vary(chance, f"reply number {chance.randrange(60)}")
                final = {"approved": original, "edited": _vary(chance, f"reply number {chance.randrange(60)}")}.get(
                    verdict
                )
                stopped = "gate:price" if final and chance.random() < 0.03 else None
                corrections.append(
                    (
                        id_,
                        f"d{n}-{k}",
                        f"c{n}-{k}",
                        f"t{n}",
                        person,
                        BUILD,
                        verdict,
                        final,
                        last if verdict == "undone" else None,
                        stopped,
                    )
                )
                if verdict != "undone":
                    last = id_
                    keys = duplicate_key(said, original), duplicate_key(said, final) if final else None
                    texts.append((id_, VERSION, stored_prompt([("user", said)], None), said, original, final, *keys))
        if chance.random() < 0.05:
            other = f"p{chance.randrange(start + count)}"
            connection.executemany(
                "INSERT OR IGNORE INTO same_person VALUES (?, ?)", [(person, other), (other, person)]
            )
        if chance.random() < 0.02:
            connection.execute(
                "INSERT INTO alerts (gate, candidate_id, thread_id, person_id, message_sha256, created_at) VALUES ('minor', 'c', 't', ?, 'x', 'x')",
                (person,),
            )
    connection.executemany(
        "INSERT INTO prospect_corrections (id, draft_id, candidate_id, thread_id, person_id, engine_id, verdict, body, undoes, stopped_by, author, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'ann', '2026-11-25T00:00:00.000+00:00')",
        corrections,
    )
    connection.executemany("INSERT INTO training_texts VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?, '[]')", texts)
    connection.execute("COMMIT")
    connection.close()


def _vary(chance: random.Random, text: str) -> str:
    return chance.choice((text, text.upper(), f"  {text}!", text.replace(" ", "  "), text.title() + " …"))


def _places(workspace: Workspace, format_: str) -> tuple[dict[str, str], int]:
    """Export; check that nothing leaks; return in which split each person is, and how many rows there were."""
    export(workspace, format_, out=format_)
    connection = open_database(workspace.database)
    person_of = dict(connection.execute("SELECT CAST(id AS TEXT), person_id FROM prospect_corrections").fetchall())
    said = dict(connection.execute("SELECT CAST(correction_id AS TEXT), inbound FROM training_texts").fetchall())
    group_of = groups(connection.execute("SELECT person_id, other FROM same_person").fetchall())
    flagged = {row[0] for row in connection.execute("SELECT person_id FROM alerts")}
    connection.close()
    persons: dict[str, dict[str, str]] = {}
    keys: dict[str, set[tuple[str, str]]] = {}
    count = 0
    for split in ("train", "test"):
        found = rows(workspace, split, format_)
        count += len(found)
        persons[split] = {person_of[row["draftctl_correction_id"]]: split for row in found}
        keys[split] = {
            (normalised(said[row["draftctl_correction_id"]]), normalised(row[name][0]["content"]))
            for row in found
            for name in ("completion", "chosen", "rejected")
            if name in row
        }
    roots = {split: {group_of.get(person, person) for person in people} for split, people in persons.items()}
    assert not roots["train"] & roots["test"], "a person is on both sides"
    assert not keys["train"] & keys["test"], "the same message with the same reply is on both sides"
    assert keys["train"], "there is something to leak"
    assert keys["test"]
    assert not flagged & (set(persons["train"]) | set(persons["test"]))
    return persons["train"] | persons["test"], count


@pytest.mark.parametrize(
    "count",
    [2_000, pytest.param(20_000, marks=pytest.mark.slow), pytest.param(100_000, marks=pytest.mark.soak)],
)
def test_nothing_leaks_and_nobody_moves(tmp_path: Path, laid_out: Path, count: int, record_property: Any) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(laid_out, root)
    workspace, chance = Workspace(root), random.Random(count)
    fill_histories(workspace.database, chance, 0, count // 2)
    before = {name: _places(workspace, name)[0] for name in ("sft", "kto", "dpo")}
    fill_histories(workspace.database, chance, count // 2, count - count // 2)
    total = 0
    for name in ("sft", "kto", "dpo"):
        after, made = _places(workspace, name)
        total += made
        assert all(after.get(person, split) == split for person, split in before[name].items())
    record_property(
        "figure",
        f"export: {count:,} random histories, {total:,} rows, 0 persons and 0 duplicates on both sides, nobody moved",
    )
