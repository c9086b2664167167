"""The store's promises on real SQLite files: append-only, fenced, verified, private, and clear when the disk is not well."""

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from draftctl.canon import Canon, Note
from draftctl.engines.template import TemplateEngine
from draftctl.errors import LockHeld, StoreError
from draftctl.inbox import Accepted, parse_line
from draftctl.models import Held, Result
from draftctl.runner import Deps, draft_one
from draftctl.store import audit, jobs, results
from draftctl.store.backup import back_up
from draftctl.store.db import connect, missing_triggers, open_database, run_lock, transaction
from draftctl.store.schema import MIGRATIONS
from draftctl.store.writer import Writer
from tests.conftest import Workspace, line

NOTE = Note(key="①", name="greeting", text="Hello, which day?")
DEPS = Deps(engine=TemplateEngine(), canon=Canon(notes={"①": NOTE}))
PROVENANCE = results.Provenance(run_id="r1", engine_id="template", git_commit=None, git_state="unknown", reopen_key="k")


def add(connection: sqlite3.Connection, id_: str, **more: Any) -> None:
    read = parse_line(line(id_, **more).strip().encode())
    assert isinstance(read, Accepted)
    with transaction(connection):
        assert jobs.add_candidate(connection, read, "r0") == "ingested"


def take(connection: sqlite3.Connection, owner: str = "r1") -> jobs.Claim:
    with transaction(connection):
        return jobs.claim(connection, owner=owner, limit=1)[0]


def decided(claim: jobs.Claim) -> Result:
    return asyncio.run(draft_one(claim.candidate, claim.person, DEPS))


def draft(connection: sqlite3.Connection, id_: str) -> None:
    add(connection, id_)
    claim = take(connection)
    with transaction(connection):
        results.finish(connection, claim, decided(claim), PROVENANCE)


def test_a_runner_that_wakes_up_after_a_takeover_writes_nothing(connection: sqlite3.Connection) -> None:
    add(connection, "a")
    asleep = take(connection, "old")
    with transaction(connection):
        assert jobs.reclaim(connection) == 1
    awake = take(connection, "new")
    with transaction(connection):
        assert results.finish(connection, awake, decided(awake), PROVENANCE) is not None
    with transaction(connection):
        assert results.finish(connection, asleep, decided(asleep), PROVENANCE) is None
        jobs.release(connection, [asleep])
    assert connection.execute("SELECT count(*) FROM drafts").fetchone()[0] == 1
    assert connection.execute("SELECT status FROM candidates").fetchone()[0] == "drafted"


def test_a_stale_runner_raises_no_alert_and_a_claim_that_has_run_out_is_taken_over(
    connection: sqlite3.Connection,
) -> None:
    add(connection, "a", messages=[{"role": "prospect", "text": "im 15"}])
    asleep = take(connection, "old")
    with transaction(connection):
        assert jobs.claim(connection, owner="new", limit=1) == []
    connection.execute("UPDATE candidates SET lease_until = '2000-01-01T00:00:00.000+00:00'")
    awake = take(connection, "new")
    assert awake.fence == asleep.fence + 1
    with transaction(connection):
        assert results.finish(connection, asleep, decided(asleep), PROVENANCE) is None
    assert connection.execute("SELECT count(*) FROM alerts").fetchone()[0] == 0


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE audit SET actor = 'x' WHERE seq = 1",
        "DELETE FROM audit WHERE seq = 1",
        "INSERT OR REPLACE INTO audit SELECT seq, at, run_id, 'x', kind, subject, detail, prev, hash FROM audit WHERE seq = 1",
        "UPDATE drafts SET body = 'x'",
    ],
)
def test_the_trail_and_the_drafts_refuse_every_change(connection: sqlite3.Connection, attack: str) -> None:
    draft(connection, "a")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(attack)


CHANGES = {
    "trail row": "UPDATE audit SET at = 'x' WHERE seq = 2",
    "trail row gone": "DELETE FROM audit WHERE seq = 2",
    "payload": "UPDATE candidates SET payload = replace(payload, 'friday', 'sunday')",
    "body": "UPDATE drafts SET body = 'other' WHERE rowid = 1",
    "output": "UPDATE draft_steps SET output = 'other'",
    "draft gone": "DELETE FROM drafts WHERE id = (SELECT id FROM drafts ORDER BY id LIMIT 1)",
    "draft forged": "INSERT INTO drafts (id, candidate_id, thread_id, engine_id, git_state, status, body, created_at) "
    "VALUES ('forged', 'a', 't', 'template', 'clean', 'drafted', 'x', 'now')",
    "blob": "UPDATE blobs SET content = content || ' '",
    "candidate gone": "DELETE FROM candidates WHERE id = 'b'",
}


@pytest.mark.parametrize("change", CHANGES)
def test_verify_finds_every_change(connection: sqlite3.Connection, change: str) -> None:
    for id_ in "abc":
        draft(connection, id_)
    assert audit.verify(connection).ok
    connection.execute("PRAGMA foreign_keys=OFF")
    for trigger in ("audit_no_update", "audit_no_delete", "drafts_no_update"):
        connection.execute(f"DROP TRIGGER {trigger}")
    assert missing_triggers(connection) == ["audit_no_delete", "audit_no_update", "drafts_no_update"]
    connection.execute(CHANGES[change])
    verdict = audit.verify(connection)
    assert not verdict.ok
    assert verdict.reason


def test_a_cut_tail_is_found_by_the_head_that_was_noted(connection: sqlite3.Connection) -> None:
    draft(connection, "a")
    rows, head = audit.head(connection)
    assert audit.verify(connection, head).ok
    connection.execute("DROP TRIGGER audit_no_delete")
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("DELETE FROM audit WHERE seq = ?", (rows,))
    connection.execute("DELETE FROM drafts")
    assert audit.verify(connection).ok
    assert not audit.verify(connection, head).ok


def test_a_flipped_byte_in_the_file_is_found(connection: sqlite3.Connection, tmp_path: Path) -> None:
    draft(connection, "a")
    connection.close()
    path = tmp_path / "store" / "test.db"
    content = path.read_bytes()
    at = content.index(b"are you free on friday")
    path.write_bytes(content[:at] + b"A" + content[at + 1 :])
    again = open_database(path)
    assert again.execute("PRAGMA integrity_check").fetchone()[0] == "ok", "SQLite itself does not see it"
    assert not audit.verify(again).ok
    again.close()


def test_the_files_are_private_and_every_pragma_is_on(connection: sqlite3.Connection, tmp_path: Path) -> None:
    path = tmp_path / "store" / "test.db"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    values = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers", "secure_delete")
    }
    assert values == {
        "journal_mode": "delete",
        "synchronous": 2,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "secure_delete": 1,
    }


def test_a_newer_schema_is_refused_and_left_alone(connection: sqlite3.Connection, tmp_path: Path) -> None:
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('draftctl', 'm999_later', 'x')"
    )
    connection.close()
    path = tmp_path / "store" / "test.db"
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer draftctl"):
        open_database(path)
    assert path.read_bytes() == before


def test_every_migration_leaves_its_triggers(connection: sqlite3.Connection) -> None:
    assert missing_triggers(connection) == []
    names = [
        row[0] for row in connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'draftctl'")
    ]
    assert names == [name for name, _ in MIGRATIONS]


def test_a_full_disk_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "full.db"
    connection = open_database(path)
    connection.execute(f"PRAGMA max_page_count={connection.execute('PRAGMA page_count').fetchone()[0] + 20}")
    committed = 0

    def fill() -> None:
        nonlocal committed
        while True:
            add(connection, f"m{committed}", atoms={"name": "x" * 2000})
            committed += 1

    with pytest.raises(sqlite3.OperationalError, match="full"):
        fill()
    connection.close()
    again = open_database(path)
    assert again.execute("SELECT count(*) FROM candidates").fetchone()[0] == committed > 5
    assert audit.verify(again).ok
    again.close()


def test_a_full_disk_in_the_writer_reaches_every_caller_as_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "full.db"
    open_database(path).close()

    async def main() -> list[object]:
        writer = Writer(path)
        writer.start()

        def small(connection: sqlite3.Connection) -> None:
            connection.execute(f"PRAGMA max_page_count={connection.execute('PRAGMA page_count').fetchone()[0] + 4}")

        def big(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO blobs VALUES (?, ?)", (os.urandom(8).hex(), "x" * 50_000))

        try:
            await writer.do(small)
            done: list[object] = list(
                await asyncio.gather(writer.do(big), writer.do(jobs.waiting), return_exceptions=True)
            )
            return [*done, await writer.do(jobs.waiting)]
        finally:
            await writer.stop()

    first, _, last = asyncio.run(main())
    assert isinstance(first, StoreError)
    assert "disk is full" in first.hint
    assert last == 0, "the writer goes on"


def test_one_bad_job_does_not_spoil_its_group(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    open_database(path).close()

    async def main() -> list[object]:
        writer = Writer(path)
        writer.start()
        jobs_ = [
            lambda c, n=n: jobs.set_setting(c, f"k{n}", "v") if n != 2 else c.execute("nonsense") for n in range(5)
        ]
        try:
            return list(await asyncio.gather(*(writer.do(job) for job in jobs_), return_exceptions=True))
        finally:
            await writer.stop()

    done = asyncio.run(main())
    assert [isinstance(value, sqlite3.OperationalError) for value in done] == [False, False, True, False, False]
    check = connect(path)
    assert check.execute("SELECT count(*) FROM prospector_settings").fetchone()[0] == 4
    check.close()


def test_a_bug_in_a_job_that_nobody_waits_for_hangs_nobody_and_is_not_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    open_database(path).close()

    async def main() -> list[object]:
        writer = Writer(path)
        writer.start()
        try:
            writer.post(lambda connection: connection + 1)  # type: ignore[operator]
            return [await asyncio.wait_for(writer.do(jobs.waiting), 5), writer.lost]
        finally:
            await writer.stop()

    waiting, lost = asyncio.run(main())
    assert waiting == 0
    assert isinstance(lost, TypeError)


def test_the_run_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with (
        run_lock(path, "draftctl draft --batch"),
        pytest.raises(LockHeld, match="draftctl draft --batch"),
        run_lock(path, "second"),
    ):
        pass
    with run_lock(path, "third"):
        pass


def test_a_backup_is_verified_private_and_rotated(connection: sqlite3.Connection, tmp_path: Path) -> None:
    draft(connection, "a")
    made = [back_up(connection, tmp_path / "backups", keep=2).path for _ in range(3)]
    assert sorted(p.name for p in (tmp_path / "backups").iterdir()) == sorted(p.name for p in made[1:])
    assert stat.S_IMODE(made[-1].stat().st_mode) == 0o600
    restored = open_database(made[-1])
    assert audit.verify(restored).ok
    restored.close()
    connection.execute("DROP TRIGGER drafts_no_update")
    connection.execute("UPDATE drafts SET body = 'other'")
    with pytest.raises(StoreError, match="was not kept"):
        back_up(connection, tmp_path / "backups", keep=2)
    assert len(list((tmp_path / "backups").iterdir())) == 2


def test_a_held_row_can_carry_no_text(connection: sqlite3.Connection) -> None:
    add(connection, "a")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(
            "INSERT INTO drafts (id, candidate_id, thread_id, engine_id, git_state, status, hold_reason, body, created_at) "
            "VALUES ('x', 'a', 't', 'template', 'clean', 'held', 'empty', 'a text', 'now')"
        )
    assert not hasattr(Held(reason="empty"), "body")


def test_a_folder_that_cannot_be_written_is_a_sentence(workspace: Workspace) -> None:
    shutil.rmtree(workspace.root / "var")
    (workspace.root / "var").write_text("a file where the folder should be")
    done = workspace.run("status")
    assert done.returncode == 1
    assert "var" in done.stderr


def test_a_file_that_is_no_database_is_a_sentence(workspace: Workspace) -> None:
    workspace.database.write_bytes(b"not a database at all, and long enough to be read as one" * 100)
    done = workspace.run("draft", "--batch")
    assert done.returncode == 1
    assert "Restore" in done.stderr or "restore" in done.stderr


def test_a_read_only_folder_is_a_sentence(workspace: Workspace) -> None:
    workspace.ok("ingest", "-", stdin=line("a"))
    if os.geteuid() == 0:
        if subprocess.run(["chattr", "+i", workspace.database], check=False, capture_output=True).returncode:
            pytest.skip("root ignores modes, and this file system has no immutable flag")
        undo = ["chattr", "-i", str(workspace.database)]
    else:
        workspace.database.parent.chmod(0o500)
        undo = ["chmod", "700", str(workspace.database.parent)]
    try:
        done = workspace.run("draft", "--batch")
    finally:
        subprocess.run(undo, check=True)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert workspace.json("draft", "--batch")["drafted"] == 1
