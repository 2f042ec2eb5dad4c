-- The measures. How far the log of a case has been counted stands with the case, so that whoever counts finds at once
-- what is new, and each line is counted once.
alter table cases add column folded_seq bigint not null default 0;
create index cases_unfolded on cases (id) where event_seq > folded_seq;

-- What each case adds: where it is counted, what its log says (JSON that only the counting reads), its numbers, and when
-- these change next by time alone.
create table case_measures (
    case_id text primary key,
    person text not null,
    matter text not null,
    day bigint not null,
    channel text not null,
    intent text not null,
    team text not null,
    language text not null,
    opened_at bigint not null,
    resolved_at bigint,
    facts text not null,
    sums text not null,
    due_at bigint,
    settles_at bigint not null
);
create index case_measures_matter on case_measures (person, matter, opened_at, case_id);
create index case_measures_due on case_measures (due_at) where due_at is not null;
create index case_measures_day on case_measures (day, opened_at, case_id);

-- The numbers of many cases added up, by day and by month: all of them, by each of the four, and by all four.
create table rollups (
    id text primary key,
    grain text not null,
    day bigint not null,
    channel text not null,
    intent text not null,
    team text not null,
    language text not null,
    sums text not null
);
create index rollups_day on rollups (grain, day);

-- The moment as of which everything is counted, and the time zone of its days.
create table rollup_state (
    name text primary key,
    counted_at bigint not null,
    zone text not null
);

-- What was sent once a week: to whom, and how that went.
create table report_mails (
    week text not null,
    recipient text not null,
    state text not null,
    attempts bigint not null,
    due_at bigint not null,
    holder text not null,
    reason text,
    primary key (week, recipient)
);
create index report_mails_due on report_mails (due_at) where state = 'pending';
