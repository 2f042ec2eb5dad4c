-- When something that is to leave was last taken up, by the clock of that moment: one that lies ahead was set back since,
-- and what it had put off does not wait for the time that it believed in.
alter table outbox add column taken_at bigint not null default 0;
alter table write_backs add column taken_at bigint not null default 0;
