"""The tables, as ordered steps that are only ever appended to. Text alone; `store.db` applies it.

The names and columns of DESIGN section 8 are what people may query. Beside them: what a lease needs (`owner fence lease_until`),
and `digest_key`, a random key per candidate. The audit chain covers HMACs under that key, so that a person's texts can be
erased, key and all, while the chain stays whole and nothing can be guessed back from it.
"""

_M001 = """
CREATE TABLE prospector_settings (key TEXT PRIMARY KEY, value TEXT, updated_at TEXT NOT NULL);

CREATE TABLE candidates (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  thread_id TEXT NOT NULL,
  person_id TEXT NOT NULL,
  archetype TEXT, state TEXT, template_key TEXT,
  mode TEXT CHECK (mode IN ('auto', 'review', 'hold')),
  status TEXT NOT NULL CHECK (status IN ('waiting', 'drafting', 'drafted', 'held', 'approved', 'rejected', 'sent')),
  hold_reason TEXT, hold_detail TEXT,
  reopen TEXT, reopen_key TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  received_at TEXT,
  payload TEXT NOT NULL, payload_sha256 TEXT NOT NULL, digest_key BLOB,
  owner TEXT, fence INTEGER NOT NULL DEFAULT 0, lease_until TEXT,
  ingested_at TEXT NOT NULL, updated_at TEXT NOT NULL,
  CHECK ((status = 'held') = (hold_reason IS NOT NULL))
);
CREATE INDEX candidates_by_status ON candidates (status, seq);
CREATE INDEX candidates_by_thread ON candidates (thread_id, person_id);
CREATE INDEX candidates_by_person ON candidates (person_id, thread_id);

-- Person ids that share a thread, both ways round: a flag or a STOP of one is the other's.
CREATE TABLE same_person (person_id TEXT NOT NULL, other TEXT NOT NULL, PRIMARY KEY (person_id, other)) WITHOUT ROWID;

CREATE TABLE drafts (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  candidate_id TEXT NOT NULL REFERENCES candidates (id),
  thread_id TEXT NOT NULL,
  engine_id TEXT NOT NULL, engine_served TEXT, attested TEXT,
  workflow_id TEXT, workflow_version TEXT, semantic_hash TEXT, bundle_hash TEXT,
  git_commit TEXT, git_state TEXT NOT NULL CHECK (git_state IN ('clean', 'dirty', 'unknown')),
  experiment TEXT, arm TEXT,
  template_key TEXT,
  status TEXT NOT NULL CHECK (status IN ('drafted', 'held')),
  hold_reason TEXT, hold_detail TEXT,
  body TEXT,
  run_id TEXT, created_at TEXT NOT NULL,
  CHECK ((status = 'held') = (hold_reason IS NOT NULL)),
  CHECK ((status = 'drafted') = (body IS NOT NULL AND length(trim(body)) > 0))
);
CREATE INDEX drafts_by_candidate ON drafts (candidate_id, seq);
CREATE INDEX drafts_by_thread ON drafts (thread_id, seq);

CREATE TABLE draft_steps (
  draft_id TEXT NOT NULL REFERENCES drafts (id),
  n INTEGER NOT NULL, verb TEXT NOT NULL, name TEXT NOT NULL, attempt INTEGER NOT NULL,
  prompt_hash TEXT NOT NULL, messages TEXT NOT NULL, output TEXT,
  prompt_tokens INTEGER, completion_tokens INTEGER, cached_tokens INTEGER,
  finish_reason TEXT, ms INTEGER,
  PRIMARY KEY (draft_id, n, attempt)
);

CREATE TABLE decisions (
  seq INTEGER PRIMARY KEY,
  candidate_id TEXT NOT NULL, draft_id TEXT,
  kind TEXT NOT NULL, engine_id TEXT, outcome TEXT NOT NULL, reason TEXT, detail TEXT,
  run_id TEXT, at TEXT NOT NULL
);
CREATE INDEX decisions_by_candidate ON decisions (candidate_id, seq);

CREATE TABLE prospect_corrections (
  id INTEGER PRIMARY KEY,
  draft_id TEXT NOT NULL REFERENCES drafts (id),
  candidate_id TEXT NOT NULL, thread_id TEXT NOT NULL,
  engine_id TEXT, workflow_id TEXT, workflow_version TEXT,
  verdict TEXT NOT NULL CHECK (verdict IN ('approved', 'edited', 'rejected')),
  original TEXT, body TEXT,
  tags TEXT NOT NULL DEFAULT '[]', note TEXT, author TEXT NOT NULL,
  stopped_by TEXT,
  created_at TEXT NOT NULL
);
CREATE INDEX corrections_by_draft ON prospect_corrections (draft_id, id);

CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  draft_id TEXT NOT NULL REFERENCES drafts (id),
  correction_id INTEGER NOT NULL REFERENCES prospect_corrections (id),
  candidate_id TEXT NOT NULL, thread_id TEXT NOT NULL,
  body TEXT NOT NULL CHECK (length(body) BETWEEN 1 AND 2000),
  status TEXT NOT NULL CHECK (status IN ('pending', 'sending', 'sent', 'void', 'unknown')),
  intent TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE INDEX outbox_by_status ON outbox (status, seq);
CREATE UNIQUE INDEX outbox_one_live ON outbox (candidate_id) WHERE status <> 'void';

CREATE TABLE suppressions (
  id INTEGER PRIMARY KEY,
  person_id TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, created_at TEXT NOT NULL,
  lifted_by TEXT, lifted_reason TEXT, lifted_at TEXT
);
CREATE INDEX suppressions_by_person ON suppressions (person_id);

CREATE TABLE alerts (
  id INTEGER PRIMARY KEY,
  gate TEXT NOT NULL, candidate_id TEXT NOT NULL, thread_id TEXT NOT NULL, person_id TEXT NOT NULL,
  message_sha256 TEXT NOT NULL, created_at TEXT NOT NULL, said_at TEXT,
  acknowledged_at TEXT, acknowledged_by TEXT, reason TEXT
);
CREATE INDEX alerts_by_person ON alerts (person_id);

CREATE TABLE rejects (
  id TEXT PRIMARY KEY, source TEXT NOT NULL, line INTEGER NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL, at TEXT NOT NULL
);

CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE bundles (bundle_hash TEXT PRIMARY KEY, members TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE runs (
  id TEXT PRIMARY KEY, command TEXT NOT NULL, engine_id TEXT, git_commit TEXT,
  started_at TEXT NOT NULL, finished_at TEXT, outcome TEXT, counts TEXT
);

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at TEXT NOT NULL, run_id TEXT, actor TEXT NOT NULL, kind TEXT NOT NULL,
  subject TEXT, detail TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL
);
CREATE INDEX audit_by_subject ON audit (subject, seq);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN NEW.seq <= (SELECT max(seq) FROM audit)
  BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER drafts_no_update BEFORE UPDATE ON drafts BEGIN SELECT RAISE(ABORT, 'a draft is never changed'); END;
CREATE TRIGGER corrections_no_update BEFORE UPDATE ON prospect_corrections
  BEGIN SELECT RAISE(ABORT, 'a correction is never changed'); END;
"""

# Chains. `checkpoints` keeps what a chain was answered until its candidate is decided; `workflow_versions` is what a version was used
# with first, and `workflows_known` for whom each workflow was when it could last be read. A step's `settings` are part of its
# prompt_hash; its `messages` are [role, [sha256 of each piece]].
_M002 = """
ALTER TABLE draft_steps ADD COLUMN settings TEXT;
ALTER TABLE drafts ADD COLUMN fingerprint TEXT;
CREATE INDEX drafts_by_workflow ON drafts (workflow_id, workflow_version);

CREATE TABLE checkpoints (
  candidate_id TEXT NOT NULL, n INTEGER NOT NULL, attempt INTEGER NOT NULL,
  prompt_hash TEXT NOT NULL, completion TEXT NOT NULL,
  PRIMARY KEY (candidate_id, n, attempt)
) WITHOUT ROWID;

CREATE TABLE workflow_versions (
  workflow_id TEXT NOT NULL, version TEXT NOT NULL, semantic_hash TEXT NOT NULL,
  git_commit TEXT, run_id TEXT, first_used_at TEXT NOT NULL,
  PRIMARY KEY (workflow_id, version)
) WITHOUT ROWID;

CREATE TABLE workflows_known (
  workflow_id TEXT PRIMARY KEY, applies TEXT NOT NULL, source TEXT NOT NULL, seen_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE engine_probes (
  seq INTEGER PRIMARY KEY, engine_id TEXT NOT NULL, ok INTEGER NOT NULL, result TEXT NOT NULL, at TEXT NOT NULL
);
CREATE INDEX engine_probes_by_engine ON engine_probes (engine_id, seq);
"""

# The GPU. A lease is our right to one droplet: its row is committed before the droplet is asked for, and closed only when the droplet
# is seen to be gone. `host_key` is public; the keys themselves lie in files beside the database.
_M003 = """
CREATE TABLE gpu_leases (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  engine_id TEXT NOT NULL, manifest_sha256 TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('creating', 'booting', 'provisioning', 'warming', 'ready', 'releasing', 'closed')),
  asked_by TEXT NOT NULL, reason TEXT NOT NULL,
  provision_on TEXT NOT NULL DEFAULT 'droplet',
  droplet_id INTEGER, size TEXT, region TEXT, address TEXT, host_key TEXT,
  price_per_hour REAL, billing_minimum_s REAL NOT NULL, billing_quantum_s REAL NOT NULL,
  intent_at TEXT NOT NULL, created_at TEXT, ssh_at TEXT, ready_at TEXT, last_work_at TEXT,
  expires_at TEXT NOT NULL, held_until TEXT, end_asked TEXT,
  release_at TEXT, release_reason TEXT, closed_at TEXT,
  outcome TEXT, detail TEXT, cost_usd REAL,
  attested TEXT, before TEXT NOT NULL DEFAULT '[]',
  CHECK ((state = 'closed') = (closed_at IS NOT NULL))
);
CREATE UNIQUE INDEX gpu_one_open_lease ON gpu_leases ((1)) WHERE state <> 'closed';

CREATE TABLE gpu_events (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, lease_id TEXT, kind TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX gpu_events_by_lease ON gpu_events (lease_id, seq);
CREATE TRIGGER gpu_events_no_update BEFORE UPDATE ON gpu_events BEGIN SELECT RAISE(ABORT, 'what happened is never changed'); END;

ALTER TABLE runs ADD COLUMN lease_id TEXT;
"""

# Review. `prospect_corrections` gains the verdict `undone` (it withdraws the row that `undoes` names) and what the draft knew, so it is
# made anew: a CHECK cannot be changed. `training_texts` is what an export reads, redacted when the correction was given. The few-shot
# pool is an index over the corrections themselves; `few_shot_pool` says which rows stand in it. The two triggers let a text be erased
# and nothing else be changed.
_M004 = """
CREATE TABLE corrections_new (
  id INTEGER PRIMARY KEY,
  draft_id TEXT NOT NULL REFERENCES drafts (id),
  candidate_id TEXT NOT NULL, thread_id TEXT NOT NULL, person_id TEXT,
  engine_id TEXT, workflow_id TEXT, workflow_version TEXT, semantic_hash TEXT, bundle_hash TEXT, git_commit TEXT,
  template_key TEXT, archetype TEXT, state TEXT,
  verdict TEXT NOT NULL CHECK (verdict IN ('approved', 'edited', 'rejected', 'undone')),
  original TEXT, body TEXT,
  tags TEXT NOT NULL DEFAULT '[]', note TEXT, author TEXT NOT NULL,
  stopped_by TEXT, undoes INTEGER,
  inbound TEXT, prompt_hash TEXT, edit_share REAL, scope TEXT,
  opened_at TEXT, active_ms INTEGER,
  import_key TEXT UNIQUE, erased_at TEXT,
  created_at TEXT NOT NULL,
  CHECK ((verdict = 'undone') = (undoes IS NOT NULL))
);
INSERT INTO corrections_new (id, draft_id, candidate_id, thread_id, person_id, engine_id, workflow_id, workflow_version, semantic_hash,
  bundle_hash, git_commit, template_key, archetype, state, verdict, original, body, tags, note, author, stopped_by, created_at)
  SELECT k.id, k.draft_id, k.candidate_id, k.thread_id, c.person_id, k.engine_id, k.workflow_id, k.workflow_version, d.semantic_hash,
  d.bundle_hash, d.git_commit, d.template_key, c.archetype, c.state, k.verdict, k.original, k.body, k.tags, k.note, k.author, k.stopped_by,
  k.created_at FROM prospect_corrections k JOIN drafts d ON d.id = k.draft_id JOIN candidates c ON c.id = k.candidate_id;
DROP TABLE prospect_corrections;
ALTER TABLE corrections_new RENAME TO prospect_corrections;
CREATE INDEX corrections_by_draft ON prospect_corrections (draft_id, id);
CREATE INDEX corrections_by_person ON prospect_corrections (person_id, id);
CREATE TRIGGER corrections_no_update BEFORE UPDATE ON prospect_corrections WHEN OLD.erased_at IS NOT NULL OR NEW.erased_at IS NULL
  OR NEW.original IS NOT NULL OR NEW.body IS NOT NULL OR NEW.inbound IS NOT NULL OR NEW.note IS NOT NULL
  OR NEW.id IS NOT OLD.id OR NEW.draft_id IS NOT OLD.draft_id OR NEW.candidate_id IS NOT OLD.candidate_id
  OR NEW.person_id IS NOT OLD.person_id OR NEW.verdict IS NOT OLD.verdict OR NEW.author IS NOT OLD.author OR NEW.tags IS NOT OLD.tags
  OR NEW.undoes IS NOT OLD.undoes OR NEW.created_at IS NOT OLD.created_at
  BEGIN SELECT RAISE(ABORT, 'a correction is never changed'); END;
CREATE TRIGGER corrections_no_delete BEFORE DELETE ON prospect_corrections
  BEGIN SELECT RAISE(ABORT, 'a correction is never removed'); END;

CREATE TABLE training_texts (
  correction_id INTEGER PRIMARY KEY,
  redactor INTEGER NOT NULL,
  prompt TEXT, inbound TEXT NOT NULL, original TEXT, final TEXT, residual TEXT,
  original_key INTEGER, final_key INTEGER,
  names TEXT NOT NULL DEFAULT '[]'
);

CREATE TABLE few_shot_pool (correction_id INTEGER PRIMARY KEY, draft_id TEXT NOT NULL UNIQUE);
CREATE VIRTUAL TABLE few_shot USING fts5 (
  scope, inbound, body, content = 'prospect_corrections', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TABLE review_leases (
  candidate_id TEXT PRIMARY KEY, token TEXT NOT NULL, reviewer TEXT NOT NULL, until TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX review_leases_by_token ON review_leases (token);

CREATE TABLE exports (
  dataset_id TEXT NOT NULL, format TEXT NOT NULL, engine TEXT NOT NULL, path TEXT NOT NULL, manifest TEXT NOT NULL,
  members BLOB NOT NULL, created_at TEXT NOT NULL, PRIMARY KEY (dataset_id, path)
);

CREATE INDEX candidates_to_review ON candidates (status, template_key, seq);
ALTER TABLE candidates ADD COLUMN redraft_note TEXT;
ALTER TABLE candidates ADD COLUMN redraft_of TEXT;
ALTER TABLE candidates ADD COLUMN erased_at TEXT;
ALTER TABLE drafts ADD COLUMN erased_at TEXT;
ALTER TABLE draft_steps ADD COLUMN purged_at TEXT;
CREATE INDEX drafts_by_bundle ON drafts (bundle_hash);
DROP TRIGGER drafts_no_update;
CREATE TRIGGER drafts_no_update BEFORE UPDATE ON drafts WHEN OLD.erased_at IS NOT NULL OR NEW.erased_at IS NULL
  OR (OLD.body IS NOT NULL AND NEW.body <> '[erased]') OR (OLD.body IS NULL AND NEW.body IS NOT NULL)
  OR NEW.seq IS NOT OLD.seq OR NEW.id IS NOT OLD.id OR NEW.candidate_id IS NOT OLD.candidate_id OR NEW.engine_id IS NOT OLD.engine_id
  OR NEW.status IS NOT OLD.status OR NEW.hold_reason IS NOT OLD.hold_reason OR NEW.bundle_hash IS NOT OLD.bundle_hash
  OR NEW.semantic_hash IS NOT OLD.semantic_hash OR NEW.created_at IS NOT OLD.created_at
  BEGIN SELECT RAISE(ABORT, 'a draft is never changed'); END;
"""

# The whole pipeline. A text that leaves by itself (mode `auto`) has no verdict, so `correction_id` may be empty; two triggers see to it
# that nothing stands in the outbox but a text past every gate, and that no such text is changed there. `found` are the atoms that the
# classifier or a person found, `staged` what of it all our own stages filled in (a later run does that anew), `history` what was written in the thread before the line, `threads` where our last sent text left it,
# `backups` the copies that were made, because they keep what is erased here.
_M005 = """
CREATE TABLE outbox_new (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  draft_id TEXT NOT NULL REFERENCES drafts (id),
  correction_id INTEGER REFERENCES prospect_corrections (id),
  candidate_id TEXT NOT NULL, thread_id TEXT NOT NULL,
  body TEXT NOT NULL CHECK (length(body) BETWEEN 1 AND 2000),
  status TEXT NOT NULL CHECK (status IN ('pending', 'sending', 'sent', 'void', 'unknown')),
  intent TEXT, answer TEXT, sent_at TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
INSERT INTO outbox_new SELECT seq, id, draft_id, correction_id, candidate_id, thread_id, body, status, intent, NULL,
  CASE WHEN status IN ('sending', 'sent', 'unknown') THEN updated_at END, created_at, updated_at FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;
CREATE INDEX outbox_by_status ON outbox (status, seq);
CREATE INDEX outbox_by_thread ON outbox (thread_id, status);
CREATE UNIQUE INDEX outbox_one_live ON outbox (candidate_id) WHERE status <> 'void';

ALTER TABLE drafts ADD COLUMN mode TEXT;
ALTER TABLE drafts ADD COLUMN gates TEXT;
ALTER TABLE candidates ADD COLUMN next_state TEXT;
ALTER TABLE candidates ADD COLUMN found TEXT;
ALTER TABLE candidates ADD COLUMN staged TEXT;
ALTER TABLE candidates ADD COLUMN history TEXT;
ALTER TABLE alerts ADD COLUMN told_at TEXT;

CREATE TABLE backups (path TEXT PRIMARY KEY, created_at TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE threads (
  thread_id TEXT PRIMARY KEY, state TEXT NOT NULL, candidate_id TEXT NOT NULL, updated_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER outbox_only_passed BEFORE INSERT ON outbox WHEN NOT EXISTS (
    SELECT 1 FROM prospect_corrections k WHERE k.id = NEW.correction_id AND k.draft_id = NEW.draft_id
    AND k.verdict IN ('approved', 'edited') AND k.stopped_by IS NULL AND k.body = NEW.body
    AND k.candidate_id = NEW.candidate_id AND k.thread_id = NEW.thread_id)
  AND NOT (NEW.correction_id IS NULL AND EXISTS (
    SELECT 1 FROM drafts d WHERE d.id = NEW.draft_id AND d.candidate_id = NEW.candidate_id AND d.thread_id = NEW.thread_id AND d.status = 'drafted'
    AND d.mode = 'auto' AND d.gates IS NOT NULL AND d.body = NEW.body))
  BEGIN SELECT RAISE(ABORT, 'only a text that is past every gate may be sent'); END;
CREATE TRIGGER outbox_text_stays BEFORE UPDATE ON outbox WHEN (NEW.body IS NOT OLD.body AND NEW.body <> '[erased]')
  OR NEW.id IS NOT OLD.id OR NEW.draft_id IS NOT OLD.draft_id OR NEW.candidate_id IS NOT OLD.candidate_id
  OR NEW.thread_id IS NOT OLD.thread_id OR NEW.correction_id IS NOT OLD.correction_id OR (OLD.status = 'unknown' AND NEW.status = 'void') OR (OLD.status = 'sent' AND NEW.status <> 'sent')
  BEGIN SELECT RAISE(ABORT, 'what may be sent is never changed'); END;
"""

_M006 = """
-- What was tried outside any queue, by the hash of exactly what was asked. No draft comes of it.
CREATE TABLE tried_answers (
  key TEXT PRIMARY KEY, candidate_id TEXT NOT NULL, thread_id TEXT NOT NULL, person_id TEXT NOT NULL, completion TEXT NOT NULL, created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX tried_by_thread ON tried_answers (thread_id);
CREATE INDEX tried_by_person ON tried_answers (person_id);
"""

MIGRATIONS: tuple[tuple[str, str], ...] = (
    ("m001_first", _M001),
    ("m002_chains", _M002),
    ("m003_gpu", _M003),
    ("m004_review", _M004),
    ("m005_pipeline", _M005),
    ("m006_tried", _M006),
)
TRIGGERS = frozenset(
    {
        "audit_no_update",
        "audit_no_delete",
        "audit_no_replace",
        "drafts_no_update",
        "corrections_no_update",
        "corrections_no_delete",
        "gpu_events_no_update",
        "outbox_only_passed",
        "outbox_text_stays",
    }
)
