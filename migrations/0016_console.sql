-- What the operators' console looks up.

-- The operators' own record: events that belong to no application. There are few among all others.
create index event_of_operators on event (position) where tenant = '00000000-0000-0000-0000-000000000000';

-- The read model of the search: which payment a transaction or an address belongs to. Derived from events by the
-- projection `payment_traces`, which begins at the first event, so that older payments are found too. By bytes ("C"), so
-- that the beginning of a value is found by the same index.
create table payment_trace (
  value text collate "C" not null,
  payment_id uuid not null,
  kind text not null,
  primary key (value, payment_id, kind)
);
create index payment_trace_payment on payment_trace (payment_id);

-- What else a payment is searched by, over all applications. None of these columns changes after the first event.
create index payment_view_any_order on payment_view (order_id collate "C", payment_id);
create index payment_view_customer on payment_view (customer_id collate "C", payment_id) where customer_id is not null;
create index payment_view_email on payment_view (lower(email) collate "C", payment_id) where email is not null;
