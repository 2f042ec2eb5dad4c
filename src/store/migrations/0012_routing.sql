-- Routing by fit: the wait of a case for people, what agents can do, and whether they are there.

alter table cases add column waiting_since bigint;
alter table cases add column due_at bigint;
alter table cases add column first_answer_at bigint;
-- The open offer: one per case, because it is part of its row.
alter table cases add column offered_to text;
alter table cases add column offer_expires_at bigint;
-- Why it was offered, and who let it pass: JSON.
alter table cases add column wait text;
create index cases_offered on cases (offered_to) where offered_to is not null;
create index cases_held on cases (agent_id, channel) where state = 'agent';
create index cases_answered on cases (team, first_answer_at) where first_answer_at is not null;

alter table agents add column skills text;
alter table agents add column channels text;
alter table agents add column capacity text;

create table presences (
    agent_id text primary key,
    chosen text not null,
    seen_at bigint not null,
    given_at bigint not null,
    -- Counts what changes whether somebody can be given more, so that two processes never give at once.
    version bigint not null
);
