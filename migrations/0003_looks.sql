-- When each payment is next to be looked up at the gateway; kept in step with the events by the reactor `looks`.
create table look (
  stream_id uuid primary key,
  due_at timestamptz not null,
  urgent boolean not null default false
) with (fillfactor = 80);

create index look_due on look (urgent desc, due_at);
