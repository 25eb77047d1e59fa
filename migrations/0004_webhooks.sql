-- Where an application wants its webhooks. `secret` must be readable: it signs every delivery. The one before it signs
-- too for a while after a rotation. `events` null means all. An endpoint that answered 410 is disabled.
create table webhook_endpoint (
  id uuid primary key,
  application_id uuid not null references application,
  url text not null,
  events text[],
  secret text not null,
  previous_secret text,
  previous_secret_until timestamptz,
  disabled_at timestamptz,
  created_at timestamptz not null
);

create index webhook_endpoint_application on webhook_endpoint (application_id);

-- Every attempt to deliver a webhook, with what came back. It outlives its endpoint.
create table webhook_attempt (
  message_id uuid not null,
  endpoint_id uuid not null,
  attempt integer not null check (attempt > 0),
  application_id uuid not null,
  payment_id uuid not null,
  type text not null,
  attempted_at timestamptz not null,
  duration_ms integer not null,
  status integer,
  outcome text not null check (outcome in ('success', 'http_3xx', 'http_4xx', 'http_5xx', 'timeout', 'connect', 'tls',
    'dns', 'blocked_address', 'body_too_large')),
  answer text,
  primary key (message_id, endpoint_id, attempt)
);

create index webhook_attempt_payment on webhook_attempt (payment_id);
create index webhook_attempt_application on webhook_attempt (application_id, attempted_at);
