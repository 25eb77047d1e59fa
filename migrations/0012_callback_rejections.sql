-- How many callbacks were turned away in each hour, by reason: nothing else of them is kept.
create table callback_rejection (
  hour timestamptz not null,
  reason text not null,
  count bigint not null check (count > 0),
  primary key (hour, reason)
);

-- Messages of a span of time are read by block. Late copies of early messages are outliers that one range can hold.
create index inbox_received on inbox using brin (received_at timestamptz_minmax_multi_ops) with (pages_per_range = 16, autosummarize = on);
alter index inbox_age set (autosummarize = on);
-- Often enough that the planner knows that rows lie in the order of their times.
alter table inbox set (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
