-- The read model of deposit addresses, for lists. It follows from the events of their streams alone.
create table deposit_address_view (
  address_id uuid primary key,
  application_id uuid not null,
  customer_id text not null,
  network text not null,
  status text not null check (status in ('opening', 'open', 'revoked', 'refused')),
  track_id text,
  address text,
  memo text,
  network_name text,
  deposits integer not null default 0,
  created_at timestamptz not null,
  active_at timestamptz not null,
  revoked_at timestamptz,
  revoked_by text
);
create index deposit_address_view_list on deposit_address_view (application_id, address_id desc);
create index deposit_address_view_customer on deposit_address_view (application_id, customer_id);
