-- When agents said whether they want cases, and when they were found gone: what routing saw at a moment can be told later.
create table presence_log (
    agent_id text not null,
    at bigint not null,
    chosen text not null,
    -- `agent`: they said so; `silence`: their page was not heard of any more.
    cause text not null
);
create index presence_log_agent on presence_log (agent_id, at);
create index presence_log_at on presence_log (at);
