-- What applications were told: one row per webhook, numbered per payment without gaps, in the order of the events that
-- caused them. `id` is the header `webhook-id`; `body` is the exact text that is sent at every attempt.
create table webhook (
  id uuid primary key,
  application_id uuid not null,
  payment_id uuid not null,
  sequence integer not null check (sequence > 0),
  type text not null,
  body text not null,
  correlation_id uuid not null,
  created_at timestamptz not null,
  unique (payment_id, sequence)
);

-- One webhook on its way to one endpoint. Of a payment's deliveries to an endpoint that wait, only the first has a
-- `due_at`: the others follow it. A claim moves `due_at` to the end of its lease (which is then `leased_until` too) and
-- counts `lease` up, so that whoever comes back after its lease writes nothing. A delivery outlives its endpoint.
create table webhook_delivery (
  id uuid primary key,
  webhook_id uuid not null references webhook,
  endpoint_id uuid not null,
  application_id uuid not null,
  payment_id uuid not null,
  sequence integer not null,
  type text not null,
  status text not null check (status in ('waiting', 'delivered', 'dead', 'cancelled')),
  due_at timestamptz,
  -- Attempts in all, and since it was last queued: a redelivery begins the schedule anew.
  attempts integer not null default 0,
  round_attempts integer not null default 0,
  round_began_at timestamptz not null,
  lease integer not null default 0,
  leased_until timestamptz,
  created_at timestamptz not null,
  ended_at timestamptz,
  unique (webhook_id, endpoint_id)
) with (fillfactor = 80);

create index webhook_delivery_due on webhook_delivery (endpoint_id, due_at) where due_at is not null;
create index webhook_delivery_leased on webhook_delivery (endpoint_id, leased_until) where leased_until is not null;
create index webhook_delivery_waiting on webhook_delivery (endpoint_id, payment_id, sequence) where status = 'waiting';
create index webhook_delivery_application on webhook_delivery (application_id, id);
create index webhook_delivery_payment on webhook_delivery (payment_id);
create index webhook_delivery_dead on webhook_delivery (ended_at) where status = 'dead';

-- How an endpoint fares: since when and how often in a row its attempts fail, until when it is left alone, and why it
-- was disabled (`gone`: it answered 410; `failing`: nothing got through for days).
alter table webhook_endpoint
  add column failing_since timestamptz,
  add column failures integer not null default 0,
  add column paused_until timestamptz,
  add column warned_at timestamptz,
  add column disabled_reason text check (disabled_reason in ('gone', 'failing'));
