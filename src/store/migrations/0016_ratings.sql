-- What customers were asked after a resolution, once for each case, and what they answered.
create table ratings (
    case_id text primary key,
    customer_id text not null,
    channel text not null,
    conversation text not null,
    -- Who resolved it: `assistant`, or `agent:` and an id.
    of_whom text not null,
    -- The message that asked; none where nobody was asked.
    message_id text,
    asked_seq bigint not null,
    asked_at bigint not null,
    -- Why nobody was asked.
    skipped text,
    score bigint,
    scale text,
    comment text,
    answered_at bigint
);
create index ratings_thread on ratings (channel, conversation, asked_at);
create index ratings_customer on ratings (customer_id, asked_at);
create index ratings_message on ratings (message_id) where message_id is not null;
create index cases_resolved on cases (resolved_at) where state = 'resolved';
