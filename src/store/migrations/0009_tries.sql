-- Tries of what could be guessed: one row for each place in the hour's allowance of a key. What a key counts (a customer,
-- an order number, an address) is hashed; a try that was right gives its places back.
create table tries (
    key text not null,
    place bigint not null,
    try_id text not null,
    at bigint not null,
    primary key (key, place)
);
create index tries_id on tries (try_id);
create index tries_at on tries (at);
