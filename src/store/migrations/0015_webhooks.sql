-- What leaves for others: not for the operator's CRM alone any more, but for each subscriber and each other desk by
-- its name. `place` is the order within a case, `body` what is told, as facts without anybody's words.
alter table write_backs add column target text not null default 'crm';
alter table write_backs add column place bigint not null default 0;
alter table write_backs add column body text;
alter table write_backs add column message_id text;
create index write_backs_target on write_backs (target, due_at) where state = 'pending';
create index write_backs_state on write_backs (state, at);

-- Where a case is when another desk has it: what that desk calls it, and how it stands.
create table desk_cases (
    handoff_id text primary key,
    case_id text not null,
    desk text not null,
    state text not null,
    foreign_id text,
    thread text,
    reason text,
    at bigint not null
);
create index desk_cases_case on desk_cases (case_id, at);
create index desk_cases_foreign on desk_cases (desk, foreign_id);

