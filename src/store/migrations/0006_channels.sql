-- What leaves: which part of a message, what the provider calls it, and why it did not arrive.
alter table outbox add column part bigint not null default 0;
alter table outbox add column provider_id text;
alter table outbox add column reason text;
create index outbox_provider on outbox (channel, provider_id) where provider_id is not null;
create index outbox_unknown on outbox (due_at) where state = 'unknown';

-- The threads of providers: whose they are, when the customer last wrote there (some let us answer only for a time),
-- and what the adapter needs to answer in them (JSON that only it reads).
create table conversations (
    channel text not null,
    conversation text not null,
    address text not null,
    last_inbound_at bigint not null,
    threading text,
    primary key (channel, conversation)
);

-- Who wants nothing more by a channel, and who does again. Kept for ever; the newest line counts.
create table consents (
    id text primary key,
    channel text not null,
    address text not null,
    opted_out bigint not null,
    word text not null,
    at bigint not null
);
create index consents_address on consents (channel, address, id);

-- News of a delivery that came before the provider's answer to it.
create table early_statuses (
    channel text not null,
    provider_id text not null,
    state text not null,
    reason text,
    at bigint not null,
    primary key (channel, provider_id, state)
);
