-- Signed statements about spans of the log and of the inbox: what was there when they were made. `statement` is the text
-- exactly as signed; the two other columns repeat what it says, to find it by. The same statements are exported as files.
create table checkpoint (
  number integer primary key check (number > 0),
  up_to bigint not null,
  statement text not null,
  signature bytea not null check (octet_length(signature) = 64)
);
create index checkpoint_up_to on checkpoint (up_to, number);

create or replace function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rows are append-only: % on % is refused', lower(tg_op), tg_table_name using errcode = 'restrict_violation';
end
$$;

create trigger checkpoint_is_append_only before update or delete or truncate on checkpoint
  for each statement execute function refuse_change();

-- What the daily look at the whole store has found; one row for each.
create table verification (
  began_at timestamptz primary key,
  ended_at timestamptz not null,
  events bigint not null,
  messages bigint not null,
  breaks integer not null,
  -- The first of them.
  found json not null
);

-- Its newest blocks are what is read for each checkpoint; without this they are summarized at the next vacuum only.
alter index inbox_age set (autosummarize = on);
