-- The record: one schema for SQLite and PostgreSQL (ids and JSON are text, moments Unix milliseconds, flags 0 or 1).
--
-- The tables of a case name each other without foreign keys: one writer stores a decision table by table in one
-- transaction, every id is made by us, nothing of a case is ever deleted by row, and a lookup for every reference
-- would cost more than the insert. Uniqueness, on which the promises rest, is kept by the database.

create table customers (
    id text primary key,
    external_id text,
    name text,
    email text,
    phone text,
    language text,
    created_at bigint not null,
    version bigint not null
);
-- One person whom the operator vouches for is one customer, on however many channels.
create unique index customers_external on customers (external_id) where external_id is not null;

create table identities (
    id text primary key,
    customer_id text not null,
    channel text not null,
    address text not null,
    assurance text not null,
    proof text not null,
    first_seen bigint not null,
    last_seen bigint not null,
    unique (channel, address)
);
create index identities_customer on identities (customer_id);

create table cases (
    id text primary key,
    customer_id text not null,
    state text not null,
    version bigint not null,
    channel text not null,
    conversation text not null,
    assurance text not null,
    intent text,
    issue text,
    language text not null,
    urgency text not null,
    sentiment text not null,
    team text,
    agent_id text,
    resolution text,
    follows text,
    pending text,
    memory text not null,
    message_seq bigint not null,
    inbound_seq bigint not null,
    answered_seq bigint not null,
    event_seq bigint not null,
    event_hash text not null,
    opened_at bigint not null,
    updated_at bigint not null,
    resolved_at bigint,
    snoozed_until bigint
);
create index cases_customer on cases (customer_id);
create index cases_opened on cases (opened_at, id);
create index cases_state on cases (state);

create table inbox (
    channel text not null,
    external_id text not null,
    digest text not null,
    message_id text not null,
    case_id text not null,
    customer_id text not null,
    at bigint not null,
    primary key (channel, external_id)
);

create table messages (
    id text primary key,
    case_id text not null,
    seq bigint not null,
    author text not null,
    agent_id text,
    channel text not null,
    text text not null,
    at bigint not null,
    visibility text not null,
    citations text not null,
    choices text not null,
    attachments text not null,
    turn_id text,
    unique (case_id, seq)
);

create table events (
    case_id text not null,
    seq bigint not null,
    at bigint not null,
    kind text not null,
    body text not null,
    hash text not null,
    primary key (case_id, seq)
);

create table turns (
    id text primary key,
    case_id text not null,
    epoch bigint not null,
    holder text not null,
    leased_until bigint not null,
    attempts bigint not null,
    due_at bigint not null,
    opened_at bigint not null,
    outcome text,
    closed_at bigint
);
-- One open turn per case.
create unique index turns_open on turns (case_id) where closed_at is null;
create index turns_due on turns (due_at) where closed_at is null;
create index turns_dead on turns (closed_at) where outcome = 'dead';

create table receipts (
    id text primary key,
    case_id text not null,
    turn_id text not null,
    tool text not null,
    effect text not null,
    arguments text not null,
    status text not null,
    result text not null,
    at bigint not null,
    duration_ms bigint not null
);
create index receipts_case on receipts (case_id, at);

create table ledger (
    key text primary key,
    case_id text not null,
    customer_id text not null,
    tool text not null,
    arguments text not null,
    amount_minor bigint,
    status text,
    claimed_at bigint not null
);
create index ledger_sums on ledger (customer_id, tool, claimed_at);
create index ledger_unsettled on ledger (claimed_at) where status is null;

create table outbox (
    id text primary key,
    case_id text not null,
    message_id text not null,
    channel text not null,
    conversation text not null,
    state text not null,
    attempts bigint not null,
    due_at bigint not null,
    holder text not null,
    interrupted bigint not null
);
create index outbox_case on outbox (case_id);
create index outbox_due on outbox (due_at) where state = 'pending';

create table handoffs (
    id text primary key,
    case_id text not null,
    team text not null,
    urgency text not null,
    reason text not null,
    note text not null,
    at bigint not null,
    taken_by text,
    taken_at bigint
);
create index handoffs_case on handoffs (case_id, at);

create table agents (
    id text primary key,
    login text not null unique,
    name text not null,
    password_hash text not null,
    teams text not null,
    languages text not null,
    created_at bigint not null
);

create table sessions (
    token_hash text primary key,
    agent_id text not null references agents (id) on delete cascade,
    expires_at bigint not null
);
create index sessions_agent on sessions (agent_id);

create table api_keys (
    id text primary key,
    name text not null,
    prefix text not null,
    hash text not null unique,
    scopes text not null,
    created_at bigint not null,
    expires_at bigint,
    last_used_at bigint,
    revoked_at bigint
);
