-- When each payment is next to be looked up at the gateway. Rebuilt from events by the projection `looks`.
create table look (
  stream_id uuid primary key,
  due_at timestamptz not null
) with (fillfactor = 80);

create index look_due on look (due_at);
