-- Calling services. Keys are kept as SHA-256 of the key: they are long random strings, so a plain hash is enough.
create table application (
  id uuid primary key,
  name text not null unique,
  created_at timestamptz not null
);

create table api_key (
  hash bytea primary key check (octet_length(hash) = 32),
  application_id uuid not null references application,
  hint text not null,
  created_at timestamptz not null,
  revoked_at timestamptz
);

-- First answers to requests that carried an Idempotency-Key, kept for a day at least.
create table idempotency_key (
  application_id uuid not null,
  key text not null,
  request_hash bytea not null,
  locked_until timestamptz,
  status integer,
  body text,
  location text,
  created_at timestamptz not null,
  primary key (application_id, key)
);

create index idempotency_key_age on idempotency_key (created_at);
