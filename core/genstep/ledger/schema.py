"""The tables, as numbered migrations in SQL that SQLite and PostgreSQL both take."""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE requests (
            id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, live INTEGER NOT NULL, account TEXT NOT NULL,
            provider TEXT NOT NULL, base_url TEXT NOT NULL, kind TEXT NOT NULL, model TEXT, prompt TEXT NOT NULL,
            request TEXT NOT NULL, unit TEXT NOT NULL, created_at DOUBLE PRECISION NOT NULL,
            resumable INTEGER NOT NULL)""",
        "CREATE UNIQUE INDEX requests_live ON requests (fingerprint) WHERE live = 1",
        "CREATE INDEX requests_created ON requests (created_at)",
        """CREATE TABLE calls (
            id TEXT PRIMARY KEY, account TEXT NOT NULL, provider TEXT NOT NULL, base_url TEXT NOT NULL,
            state TEXT NOT NULL, owner TEXT NOT NULL, epoch INTEGER NOT NULL, created_at DOUBLE PRECISION NOT NULL,
            updated_at DOUBLE PRECISION NOT NULL, sent_at DOUBLE PRECISION, answered_at DOUBLE PRECISION,
            estimated DOUBLE PRECISION, charged DOUBLE PRECISION, balance DOUBLE PRECISION, refunded INTEGER,
            job_id TEXT, request_id TEXT,
            progress DOUBLE PRECISION, error TEXT)""",
        "CREATE INDEX calls_job ON calls (provider, job_id)",
        "CREATE INDEX calls_sent ON calls (account, sent_at)",
        """CREATE TABLE items (
            request TEXT NOT NULL, number INTEGER NOT NULL, call TEXT NOT NULL, position INTEGER NOT NULL, error TEXT,
            PRIMARY KEY (request, number))""",
        "CREATE INDEX items_call ON items (call)",
        """CREATE TABLE assets (
            request TEXT NOT NULL, number INTEGER NOT NULL, ordinal INTEGER NOT NULL, asset TEXT NOT NULL,
            PRIMARY KEY (request, number, ordinal))""",
        """CREATE TABLE account_facts (
            account TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, seen_at DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (account, name))""",
        """CREATE TABLE deliveries (
            provider TEXT NOT NULL, event TEXT NOT NULL, job_id TEXT NOT NULL, payload TEXT NOT NULL,
            verified INTEGER NOT NULL, received_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (provider, event, job_id))""",
    ),
    (
        # who waits for a call and will save it; what the poller found for a waiter in another process, until saved
        "ALTER TABLE calls ADD COLUMN waiter TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE calls ADD COLUMN found TEXT",
        "CREATE INDEX calls_state ON calls (account, provider, state, waiter)",
        # the one process that polls an account
        """CREATE TABLE leases (
            account TEXT NOT NULL, provider TEXT NOT NULL, owner TEXT NOT NULL, seen_at DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (account, provider))""",
        # how long jobs take: count, and mean and sum of squared deviations of the logarithm of their seconds
        """CREATE TABLE durations (
            provider TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL, jobs INTEGER NOT NULL,
            mean DOUBLE PRECISION NOT NULL, squares DOUBLE PRECISION NOT NULL, PRIMARY KEY (provider, kind, model))""",
        # the rate budget that all processes of an account share; times in Unix seconds
        """CREATE TABLE paces (
            account TEXT NOT NULL, provider TEXT NOT NULL, remaining INTEGER, reset_at DOUBLE PRECISION NOT NULL,
            blocked_until DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, provider))""",
        # signs of life, by the database's clock, where processes of several machines share a ledger
        "CREATE TABLE owners (owner TEXT PRIMARY KEY, seen_at DOUBLE PRECISION NOT NULL)",
    ),
)
VERSION = len(MIGRATIONS)
