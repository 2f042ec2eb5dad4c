-- What agents have begun to write, for each case: it outlives a reload, a lost connection and a conflict.
create table drafts (
    agent_id text not null,
    case_id text not null,
    kind text not null,
    way text,
    text text not null,
    seen_seq bigint not null,
    updated_at bigint not null,
    primary key (agent_id, case_id)
);
create index drafts_case on drafts (case_id);

-- Who has a case open, and whether they are writing. A row is over when its time is.
create table watchers (
    case_id text not null,
    agent_id text not null,
    writing bigint not null,
    until bigint not null,
    primary key (case_id, agent_id)
);

-- Who was named in a note: found in the note when it is made ready for the search.
create table mentions (
    agent_id text not null,
    case_id text not null,
    message_id text not null,
    at bigint not null,
    seen_at bigint,
    primary key (agent_id, message_id)
);
create index mentions_unseen on mentions (agent_id, at) where seen_at is null;
create index mentions_case on mentions (case_id);

-- Lists that an agent keeps: the filters as they stand in the address.
create table views (
    id text primary key,
    agent_id text not null,
    name text not null,
    query text not null,
    at bigint not null
);
create index views_agent on views (agent_id, at);

-- Files that an agent has chosen for a reply that is not sent yet.
create table uploads (
    id text primary key,
    agent_id text not null,
    case_id text not null,
    name text not null,
    content_type text,
    bytes_count bigint not null,
    content text not null,
    at bigint not null
);
create index uploads_case on uploads (case_id);

-- The words by which a case is found: of its messages, and of its customer's name and addresses. One table that both
-- databases read by the same index; the full-text searches of the two are different languages.
create table case_words (
    case_id text not null,
    word text not null,
    at bigint not null,
    primary key (case_id, word)
);
create index case_words_word on case_words (word, at);
alter table messages add column indexed bigint not null default 0;
create index messages_unindexed on messages (id) where indexed = 0;
alter table customers add column indexed bigint not null default 0;
create index customers_unindexed on customers (id) where indexed = 0;
alter table identities add column indexed bigint not null default 0;
create index identities_unindexed on identities (id) where indexed = 0;

create index cases_state_updated on cases (state, updated_at);
create index cases_agent on cases (agent_id, state, updated_at);
-- The newest thread of an address: where an agent may answer beside the thread of the case.
create index conversations_address on conversations (channel, address, last_inbound_at);
