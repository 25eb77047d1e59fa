-- The order read model: derived from events by the projection `orders`, rebuilt at any time by `replay --projection orders`.
-- No column that changes at every event is indexed, so that updates stay within their page (HOT).
create table payment_view (
  payment_id uuid primary key,
  application_id uuid not null,
  order_id text not null,
  status text not null,
  labels text[] not null,
  track_id text,
  customer_id text,
  email text,
  amount numeric not null,
  currency text not null,
  received numeric,
  fulfillable boolean not null,
  fulfillment text not null,
  created_at timestamptz not null,
  version integer not null,
  state json not null
) with (fillfactor = 75);

create index payment_view_application on payment_view (application_id, payment_id);
create index payment_view_order on payment_view (application_id, order_id);
create index payment_view_track on payment_view (track_id) where track_id is not null;

create table order_view (
  application_id uuid not null,
  order_id text not null,
  status text not null,
  complete boolean not null,
  fulfillment text not null,
  due numeric not null,
  currency text not null,
  received numeric,
  payments uuid[] not null,
  first_payment_id uuid not null,
  created_at timestamptz not null,
  primary key (application_id, order_id)
) with (fillfactor = 75);

create index order_view_age on order_view (application_id, first_payment_id);
