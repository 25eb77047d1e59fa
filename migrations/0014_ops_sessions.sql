-- Who is logged in to the operators' console. A session ends by its row going: on every replica at once. The id is stored
-- as its hash, so that a copy of the table opens nothing.
create table ops_session (
  id_hash bytea primary key check (octet_length(id_hash) = 32),
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index ops_session_expiry on ops_session (expires_at);
