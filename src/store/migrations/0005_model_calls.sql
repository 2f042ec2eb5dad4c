-- Every call to a language model, for what a case cost and for the spending caps. The particulars are in the log.
create table model_calls (
    case_id text not null,
    customer_id text not null,
    at bigint not null,
    model text not null,
    purpose text not null,
    outcome text not null,
    input_tokens bigint not null,
    cached_tokens bigint not null,
    output_tokens bigint not null,
    milliseconds bigint not null,
    cost_micros bigint not null
);
create index model_calls_case on model_calls (case_id, at);
create index model_calls_customer on model_calls (customer_id, at);
create index model_calls_at on model_calls (at);
