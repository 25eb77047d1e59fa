-- The event log. One row is one fact; rows are only ever added.
--
-- Every uniqueness carries the stream id, so that the table can later be distributed by it. `position` needs no unique
-- constraint: an identity column never hands a value out twice. `(stream_id, version)` is the optimistic lock.
-- `data` is json and not jsonb: it keeps the exact bytes that the hash covers.
create table event (
  position bigint generated always as identity (cache 1),
  stream_id uuid not null,
  version integer not null check (version > 0),
  event_id uuid not null,
  type text not null,
  schema_version smallint not null,
  recorded_at timestamptz not null,
  tenant uuid not null,
  actor text not null,
  correlation_id uuid not null,
  causation_id uuid not null,
  data json not null,
  hash bytea not null check (octet_length(hash) = 32),
  primary key (stream_id, version)
) with (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

create index event_position on event (position);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'events are append-only: % on % is refused', lower(tg_op), tg_table_name using errcode = 'restrict_violation';
end
$$;

-- Statement-level, because row-level triggers do not see truncate.
create trigger event_is_append_only before update or delete or truncate on event
  for each statement execute function refuse_change();

-- What arrived from outside, kept as it came, once per stream and content. `digest` covers the normalised content;
-- `body` is the first delivery's bytes. stream_id is the nil UUID for a message that no stream was found for.
create table inbox (
  stream_id uuid not null,
  digest bytea not null check (octet_length(digest) = 32),
  id uuid not null,
  source text not null,
  subject text,
  status text not null check (status in ('applied', 'unmatched', 'matched', 'quarantined')),
  reason text,
  body bytea not null,
  received_at timestamptz not null,
  last_received_at timestamptz not null,
  receipts integer not null default 1,
  primary key (stream_id, digest)
) with (fillfactor = 90);

create index inbox_open on inbox (source, subject) where status in ('unmatched', 'quarantined');

-- Business keys that resolve to a stream and are claimed in the statement that appends: a directory, not event data.
create table stream_key (
  scope text not null,
  key text not null,
  stream_id uuid not null,
  primary key (scope, key)
);

-- One row per follower of the log. Its lock is the leader election; its position commits with the follower's own rows.
create table subscription (
  name text primary key,
  position bigint not null default 0,
  error text,
  failures integer not null default 0,
  updated_at timestamptz not null default now()
) with (fillfactor = 50);
