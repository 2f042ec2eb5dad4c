-- An address is one customer's at a time and may pass to somebody else: what it was stays as history. SQLite cannot
-- drop the old rule that channel and address are unique for ever, so the table is made anew.
create table identities_linked (
    id text primary key,
    customer_id text not null,
    channel text not null,
    address text not null,
    assurance text not null,
    proof text not null,
    first_seen bigint not null,
    last_seen bigint not null,
    -- How the address came to be this customer's.
    link text not null default 'first_contact',
    -- Until when a proof beyond that of the channel holds, and in which case and thread.
    proven_case text,
    proven_conversation text,
    proven_until bigint,
    ended_at bigint,
    ended_because text
);
insert into identities_linked (id, customer_id, channel, address, assurance, proof, first_seen, last_seen)
    select id, customer_id, channel, address, assurance, proof, first_seen, last_seen from identities;
drop table identities;
alter table identities_linked rename to identities;
create unique index identities_live on identities (channel, address) where ended_at is null;
create index identities_customer on identities (customer_id);
create index identities_address on identities (address);

-- Customers that were found to be one person. No row of theirs is rewritten: `root_id` names the one by whom all of
-- them are known, and follows from the merges that stand; none for a customer that stands alone or is that one.
alter table customers add column root_id text;
create index customers_root on customers (coalesce(root_id, id));
create index customers_email on customers (lower(email)) where email is not null;
create index customers_phone on customers (
    replace(replace(replace(replace(replace(replace(phone, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', '')
) where phone is not null;
create index customers_name on customers (lower(name)) where name is not null;

-- Who was merged into whom, by whom and when. What is undone stays here.
create table merges (
    id text primary key,
    kept text not null,
    absorbed text not null,
    by_whom text not null,
    at bigint not null,
    undone_by text,
    undone_at bigint
);
create unique index merges_absorbed on merges (absorbed) where undone_at is null;
create index merges_kept on merges (kept);

-- Contacts that somebody typed and nobody proved: what a possible match may rest on, and nothing else.
create table claims (
    customer_id text not null,
    kind text not null,
    value text not null,
    at bigint not null,
    primary key (customer_id, kind, value)
);
create index claims_value on claims (kind, value);

-- One-time codes: for whom, in which case, and how it went. The code itself is only here as a salted hash.
create table challenges (
    id text primary key,
    case_id text not null,
    -- Who has to type it.
    customer_id text not null,
    -- Whom it proves; none where nobody has the contact, which sounds and takes the same.
    target_id text,
    -- The contact that was typed, hashed; none while nobody has typed one.
    contact text,
    salt text not null,
    hash text not null,
    -- The words that needed the proof.
    request text not null,
    tries bigint not null,
    created_at bigint not null,
    expires_at bigint not null,
    proven_at bigint
);
create index challenges_customer on challenges (customer_id, created_at);
create index challenges_case on challenges (case_id, created_at);
create index challenges_contact on challenges (contact, created_at);

-- The codes themselves, until they have been sent.
create table code_texts (
    delivery_id text primary key,
    code text not null,
    expires_at bigint not null
);
create index code_texts_expired on code_texts (expires_at);
