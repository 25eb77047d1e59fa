-- Generated from the migrations by `npm run docs`. Do not edit.

create table api_key (
  hash bytea not null,
  application_id uuid not null,
  hint text not null,
  created_at timestamp with time zone not null,
  revoked_at timestamp with time zone,
  constraint api_key_hash_check CHECK ((octet_length(hash) = 32)),
  constraint api_key_application_id_fkey FOREIGN KEY (application_id) REFERENCES application(id),
  constraint api_key_pkey PRIMARY KEY (hash)
);

create table application (
  id uuid not null,
  name text not null,
  created_at timestamp with time zone not null,
  constraint application_pkey PRIMARY KEY (id),
  constraint application_name_key UNIQUE (name)
);

create table callback_rejection (
  hour timestamp with time zone not null,
  reason text not null,
  count bigint not null,
  constraint callback_rejection_count_check CHECK ((count > 0)),
  constraint callback_rejection_pkey PRIMARY KEY (hour, reason)
);

create table checkpoint (
  number integer not null,
  up_to bigint not null,
  statement text not null,
  signature bytea not null,
  constraint checkpoint_number_check CHECK ((number > 0)),
  constraint checkpoint_signature_check CHECK ((octet_length(signature) = 64)),
  constraint checkpoint_pkey PRIMARY KEY (number)
);
CREATE INDEX checkpoint_up_to ON public.checkpoint USING btree (up_to, number);
CREATE TRIGGER checkpoint_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.checkpoint FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

create table deposit_address_view (
  address_id uuid not null,
  application_id uuid not null,
  customer_id text not null,
  network text not null,
  status text not null,
  track_id text,
  address text,
  memo text,
  network_name text,
  deposits integer default 0 not null,
  created_at timestamp with time zone not null,
  active_at timestamp with time zone not null,
  revoked_at timestamp with time zone,
  revoked_by text,
  constraint deposit_address_view_status_check CHECK ((status = ANY (ARRAY['opening'::text, 'open'::text, 'revoked'::text, 'refused'::text]))),
  constraint deposit_address_view_pkey PRIMARY KEY (address_id)
);
CREATE INDEX deposit_address_view_customer ON public.deposit_address_view USING btree (application_id, customer_id);
CREATE INDEX deposit_address_view_list ON public.deposit_address_view USING btree (application_id, address_id DESC);

create table event (
  position bigint generated always as identity not null,
  stream_id uuid not null,
  version integer not null,
  event_id uuid not null,
  type text not null,
  schema_version smallint not null,
  recorded_at timestamp with time zone not null,
  tenant uuid not null,
  actor text not null,
  correlation_id uuid not null,
  causation_id uuid not null,
  data json not null,
  hash bytea not null,
  constraint event_hash_check CHECK ((octet_length(hash) = 32)),
  constraint event_version_check CHECK ((version > 0)),
  constraint event_pkey PRIMARY KEY (stream_id, version)
) with (autovacuum_vacuum_insert_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);
CREATE INDEX event_of_operators ON public.event USING btree ("position") WHERE (tenant = '00000000-0000-0000-0000-000000000000'::uuid);
CREATE INDEX event_of_trouble ON public.event USING btree (recorded_at) WHERE ((type = ANY (ARRAY['InvoiceRefused'::text, 'InvoiceDelayed'::text, 'ContradictionFound'::text, 'ReviewOpened'::text, 'CorroborationDelayed'::text, 'CorroborationWaived'::text, 'RefundFailed'::text, 'RefundDelayed'::text, 'FulfillmentUnanswered'::text, 'FulfillmentStopped'::text])) OR ((type = 'FulfillmentReported'::text) AND ((data ->> 'outcome'::text) = 'rejected'::text)));
CREATE INDEX event_position ON public.event USING btree ("position");
CREATE TRIGGER event_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

create table idempotency_key (
  application_id uuid not null,
  key text not null,
  request_hash bytea not null,
  locked_until timestamp with time zone,
  status integer,
  body text,
  location text,
  created_at timestamp with time zone not null,
  constraint idempotency_key_pkey PRIMARY KEY (application_id, key)
);
CREATE INDEX idempotency_key_age ON public.idempotency_key USING btree (created_at);

create table inbox (
  stream_id uuid not null,
  digest bytea not null,
  id uuid not null,
  source text not null,
  subject text,
  status text not null,
  reason text,
  body bytea not null,
  received_at timestamp with time zone not null,
  last_received_at timestamp with time zone not null,
  receipts integer default 1 not null,
  headers json,
  hash bytea,
  constraint inbox_digest_check CHECK ((octet_length(digest) = 32)),
  constraint inbox_hash_check CHECK ((octet_length(hash) = 32)),
  constraint inbox_status_check CHECK ((status = ANY (ARRAY['applied'::text, 'unmatched'::text, 'matched'::text, 'quarantined'::text]))),
  constraint inbox_pkey PRIMARY KEY (stream_id, digest)
) with (fillfactor=90, autovacuum_vacuum_insert_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);
CREATE INDEX inbox_age ON public.inbox USING brin (id) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX inbox_callbacks ON public.inbox USING btree (received_at) INCLUDE (stream_id, status, reason, receipts) WHERE (source = 'callback:default'::text);
CREATE INDEX inbox_open ON public.inbox USING btree (source, subject) WHERE (status = ANY (ARRAY['unmatched'::text, 'quarantined'::text]));
CREATE INDEX inbox_received ON public.inbox USING brin (received_at timestamptz_minmax_multi_ops) WITH (pages_per_range='16', autosummarize='on');

create table look (
  stream_id uuid not null,
  due_at timestamp with time zone not null,
  urgent boolean default false not null,
  created_at timestamp with time zone,
  deadline timestamp with time zone,
  constraint look_pkey PRIMARY KEY (stream_id)
) with (fillfactor=80);
CREATE INDEX look_due ON public.look USING btree (urgent DESC, due_at);

create table match_report (
  day date not null,
  claimed_until timestamp with time zone not null,
  made_at timestamp with time zone,
  complete boolean default false not null,
  compared json,
  totals json,
  differences json,
  difference_count integer,
  explained json,
  explained_count integer,
  constraint match_report_pkey PRIMARY KEY (day)
);

create table migration (
  id integer default nextval('migration_id_seq'::regclass) not null,
  timestamp bigint not null,
  name character varying not null,
  constraint PK_3043fc6b8af7c99b8b98830094f PRIMARY KEY (id)
);

create table ops_session (
  id_hash bytea not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  name text not null,
  constraint ops_session_id_hash_check CHECK ((octet_length(id_hash) = 32)),
  constraint ops_session_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX ops_session_expiry ON public.ops_session USING btree (expires_at);

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
  created_at timestamp with time zone not null,
  credit numeric default 0 not null,
  constraint order_view_pkey PRIMARY KEY (application_id, order_id)
) with (fillfactor=75);
CREATE INDEX order_view_age ON public.order_view USING btree (application_id, first_payment_id);

create table payment_trace (
  value text not null,
  payment_id uuid not null,
  kind text not null,
  constraint payment_trace_pkey PRIMARY KEY (value, payment_id, kind)
);
CREATE INDEX payment_trace_payment ON public.payment_trace USING btree (payment_id);

create table payment_view (
  payment_id uuid not null,
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
  created_at timestamp with time zone not null,
  version integer not null,
  state json not null,
  review text default 'none'::text not null,
  remainder_of uuid,
  credit numeric default 0 not null,
  paid_at timestamp with time zone,
  first_seen_at timestamp with time zone,
  constraint payment_view_review_check CHECK ((review = ANY (ARRAY['none'::text, 'open'::text, 'resolved'::text]))),
  constraint payment_view_pkey PRIMARY KEY (payment_id)
) with (fillfactor=75);
CREATE INDEX payment_view_any_order ON public.payment_view USING btree (order_id COLLATE "C", payment_id);
CREATE INDEX payment_view_application ON public.payment_view USING btree (application_id, payment_id);
CREATE INDEX payment_view_created ON public.payment_view USING btree (created_at);
CREATE INDEX payment_view_customer ON public.payment_view USING btree (customer_id COLLATE "C", payment_id) WHERE (customer_id IS NOT NULL);
CREATE INDEX payment_view_email ON public.payment_view USING btree (lower(email) COLLATE "C", payment_id) WHERE (email IS NOT NULL);
CREATE INDEX payment_view_link ON public.payment_view USING btree ("left"(order_id, 41), payment_id) WHERE (order_id ~~ 'link-%'::text);
CREATE INDEX payment_view_order ON public.payment_view USING btree (application_id, order_id);
CREATE INDEX payment_view_review ON public.payment_view USING btree (application_id, payment_id) WHERE (review = 'open'::text);
CREATE INDEX payment_view_search ON public.payment_view USING gin ((((((((order_id || chr(10)) || COALESCE(track_id, ''::text)) || chr(10)) || COALESCE(customer_id, ''::text)) || chr(10)) || COALESCE(email, ''::text))) gin_trgm_ops);
CREATE INDEX payment_view_track ON public.payment_view USING btree (track_id) WHERE (track_id IS NOT NULL);

create table request_budget (
  name text not null,
  turn_at timestamp with time zone not null,
  slow_until timestamp with time zone not null,
  constraint request_budget_pkey PRIMARY KEY (name)
) with (fillfactor=50);

create table stream_key (
  scope text not null,
  key text not null,
  stream_id uuid not null,
  constraint stream_key_pkey PRIMARY KEY (scope, key)
);

create table subscription (
  name text not null,
  position bigint default 0 not null,
  error text,
  failures integer default 0 not null,
  updated_at timestamp with time zone default now() not null,
  constraint subscription_pkey PRIMARY KEY (name)
) with (fillfactor=50);

create table verification (
  began_at timestamp with time zone not null,
  ended_at timestamp with time zone not null,
  events bigint not null,
  messages bigint not null,
  breaks integer not null,
  found json not null,
  constraint verification_pkey PRIMARY KEY (began_at)
);

create table webhook (
  id uuid not null,
  application_id uuid not null,
  payment_id uuid not null,
  sequence integer not null,
  type text not null,
  body text not null,
  correlation_id uuid not null,
  created_at timestamp with time zone not null,
  constraint webhook_sequence_check CHECK ((sequence > 0)),
  constraint webhook_pkey PRIMARY KEY (id),
  constraint webhook_payment_id_sequence_key UNIQUE (payment_id, sequence)
);

create table webhook_attempt (
  message_id uuid not null,
  endpoint_id uuid not null,
  attempt integer not null,
  application_id uuid not null,
  payment_id uuid not null,
  type text not null,
  attempted_at timestamp with time zone not null,
  duration_ms integer not null,
  status integer,
  outcome text not null,
  answer text,
  constraint webhook_attempt_attempt_check CHECK ((attempt > 0)),
  constraint webhook_attempt_outcome_check CHECK ((outcome = ANY (ARRAY['success'::text, 'http_3xx'::text, 'http_4xx'::text, 'http_5xx'::text, 'timeout'::text, 'connect'::text, 'tls'::text, 'dns'::text, 'blocked_address'::text, 'body_too_large'::text]))),
  constraint webhook_attempt_pkey PRIMARY KEY (message_id, endpoint_id, attempt)
);
CREATE INDEX webhook_attempt_application ON public.webhook_attempt USING btree (application_id, attempted_at) INCLUDE (outcome, attempt);
CREATE INDEX webhook_attempt_payment ON public.webhook_attempt USING btree (payment_id);

create table webhook_delivery (
  id uuid not null,
  webhook_id uuid not null,
  endpoint_id uuid not null,
  application_id uuid not null,
  payment_id uuid not null,
  sequence integer not null,
  type text not null,
  status text not null,
  due_at timestamp with time zone,
  attempts integer default 0 not null,
  round_attempts integer default 0 not null,
  round_began_at timestamp with time zone not null,
  lease integer default 0 not null,
  leased_until timestamp with time zone,
  created_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  constraint webhook_delivery_status_check CHECK ((status = ANY (ARRAY['waiting'::text, 'delivered'::text, 'dead'::text, 'cancelled'::text]))),
  constraint webhook_delivery_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhook(id),
  constraint webhook_delivery_pkey PRIMARY KEY (id),
  constraint webhook_delivery_webhook_id_endpoint_id_key UNIQUE (webhook_id, endpoint_id)
) with (fillfactor=80);
CREATE INDEX webhook_delivery_application ON public.webhook_delivery USING btree (application_id, id);
CREATE INDEX webhook_delivery_dead ON public.webhook_delivery USING btree (ended_at) WHERE (status = 'dead'::text);
CREATE INDEX webhook_delivery_delivered ON public.webhook_delivery USING btree (ended_at) INCLUDE (application_id, created_at) WHERE (status = 'delivered'::text);
CREATE INDEX webhook_delivery_due ON public.webhook_delivery USING btree (endpoint_id, due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX webhook_delivery_leased ON public.webhook_delivery USING btree (endpoint_id, leased_until) WHERE (leased_until IS NOT NULL);
CREATE INDEX webhook_delivery_payment ON public.webhook_delivery USING btree (payment_id);
CREATE INDEX webhook_delivery_waiting ON public.webhook_delivery USING btree (endpoint_id, payment_id, sequence) WHERE (status = 'waiting'::text);

create table webhook_endpoint (
  id uuid not null,
  application_id uuid not null,
  url text not null,
  events text[],
  secret text not null,
  previous_secret text,
  previous_secret_until timestamp with time zone,
  disabled_at timestamp with time zone,
  created_at timestamp with time zone not null,
  failing_since timestamp with time zone,
  failures integer default 0 not null,
  paused_until timestamp with time zone,
  warned_at timestamp with time zone,
  disabled_reason text,
  constraint webhook_endpoint_disabled_reason_check CHECK ((disabled_reason = ANY (ARRAY['gone'::text, 'failing'::text]))),
  constraint webhook_endpoint_application_id_fkey FOREIGN KEY (application_id) REFERENCES application(id),
  constraint webhook_endpoint_pkey PRIMARY KEY (id)
);
CREATE INDEX webhook_endpoint_application ON public.webhook_endpoint USING btree (application_id);

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'rows are append-only: % on % is refused', lower(tg_op), tg_table_name using errcode = 'restrict_violation';
end
$function$;
