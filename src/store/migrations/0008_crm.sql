-- What the operator's CRM says about a customer (JSON: tier, owner, tags, which fields came from it and when), and when
-- everything of a customer was erased: their row stays without a word, so that counts stay right.
alter table customers add column crm text;
alter table customers add column erased_at bigint;
create index customers_email on customers (email) where email is not null;
create index customers_phone on customers (phone) where phone is not null;
create index customers_erased on customers (erased_at) where erased_at is not null;

-- Files that came with messages. The bytes are base64: the two databases share no other type for them.
create table attachments (
    id text primary key,
    case_id text not null,
    message_id text not null,
    name text not null,
    content_type text,
    bytes_count bigint not null,
    content text not null,
    at bigint not null
);
create index attachments_case on attachments (case_id);

-- What the operator's CRM is told: enqueued with the decision, sent until it is taken or was tried too often.
create table write_backs (
    id text primary key,
    case_id text not null,
    event text not null,
    at bigint not null,
    state text not null,
    attempts bigint not null,
    due_at bigint not null,
    holder text not null,
    reason text
);
create index write_backs_due on write_backs (due_at) where state = 'pending';
create index write_backs_case on write_backs (case_id);

-- Made once for each database: what is kept of an erased address is a hash with this before it.
create table secrets (
    name text primary key,
    value text not null
);
