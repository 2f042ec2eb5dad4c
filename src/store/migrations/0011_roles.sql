-- What each account may do. Until now everybody did everything. The oldest account becomes an administrator, because
-- somebody has to manage the others; those of no team in particular, who served all teams, become supervisors.
alter table agents add column role text not null default 'agent';
update agents set role = 'supervisor' where teams = '[]';
update agents set role = 'admin' where id = (select id from agents order by created_at, id limit 1);

-- A second factor at sign-in: the secret of the one-time codes, since when it counts (none until a first code was
-- shown to be right), and the last step of time whose code was used.
alter table agents add column totp_secret text;
alter table agents add column totp_since bigint;
alter table agents add column totp_step bigint not null default 0;

-- Who the account is to an identity provider; never an email address.
alter table agents add column issuer text;
alter table agents add column subject text;
create unique index agents_subject on agents (issuer, subject) where issuer is not null;

-- The person for whom a key acts; none for a program of its own.
alter table api_keys add column agent_id text;

-- When a sign-in began and was last used, in what browser, and how it was proven. 0: before this was noted.
alter table sessions add column begun_at bigint not null default 0;
alter table sessions add column seen_at bigint not null default 0;
alter table sessions add column browser text not null default '';
alter table sessions add column how text not null default 'password';

-- Sign-ins whose password was right and whose second factor is still to come.
create table half_sign_ins (
    token_hash text primary key,
    agent_id text not null references agents (id) on delete cascade,
    tries bigint not null,
    expires_at bigint not null
);

-- Codes for whoever has lost the second factor, as hashes; each works once.
create table recovery_codes (
    agent_id text not null references agents (id) on delete cascade,
    hash text not null,
    used_at bigint,
    primary key (agent_id, hash)
);

-- Sign-ins under way at an identity provider; each answer is taken once.
create table oidc_requests (
    state_hash text primary key,
    browser_hash text not null,
    nonce text not null,
    verifier text not null,
    expires_at bigint not null
);

-- What became of accounts, by whom. Only added to.
create table account_log (
    id text primary key,
    at bigint not null,
    by_whom text not null,
    agent_id text not null,
    login text not null,
    what text not null,
    detail text not null
);
create index account_log_at on account_log (at, id);
