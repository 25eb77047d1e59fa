-- What the daily match of our events, the gateway's history and the ledger found: one row a day, of bounded size.
create table match_report (
  day date primary key,
  -- Whoever makes the report has it until then; a process that dies with it leaves it to the others.
  claimed_until timestamptz not null,
  made_at timestamptz,
  complete boolean not null default false,
  compared json,
  totals json,
  differences json,
  difference_count integer,
  explained json,
  explained_count integer
);
