-- Whose turn it is to ask: the last turn that was given out, and until when turns come half as often. One row per budget,
-- made by its first use. Unlogged: a turn costs no write to disk, and after a crash of the server a budget begins anew.
create unlogged table request_budget (
  name text primary key,
  turn_at timestamptz not null,
  slow_until timestamptz not null
) with (fillfactor = 50);
