-- When the agent chose their password; none while it is the one that was made for them.
alter table agents add column password_chosen_at bigint;
