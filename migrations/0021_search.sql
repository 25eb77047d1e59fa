-- A part of an order id, track id, customer id or e-mail is found by its trigrams: without them each search reads the whole
-- table. pg_trgm comes with PostgreSQL and may be created by a database's owner; where it cannot be had, searches are slow.
do $$
begin
  create extension if not exists pg_trgm;
  create index payment_view_search on payment_view using gin (
    (order_id || chr(10) || coalesce(track_id, '') || chr(10) || coalesce(customer_id, '') || chr(10) || coalesce(email, '')) gin_trgm_ops
  );
exception when insufficient_privilege or feature_not_supported or undefined_file then
  raise notice 'pg_trgm cannot be had (%): searches for a part of an id read the whole table', sqlerrm;
end $$;
