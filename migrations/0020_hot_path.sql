-- When a payment was paid and first seen is written with its row: as generated columns they had PL/pgSQL take the whole state
-- apart at each change, a third of what the row costs.
alter table payment_view alter column paid_at drop expression, alter column first_seen_at drop expression;
drop function first_seen_in(json);
drop function instant_in(text);
