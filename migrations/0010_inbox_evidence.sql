-- What came with a message and a hash over all of it that never changes: a proof of the store covers the evidence too.
alter table inbox add column headers json;
alter table inbox add column hash bytea check (octet_length(hash) = 32);
-- Rows arrive in the order of their ids (UUIDv7): spans of time are read by block, at almost no cost to an insert.
create index inbox_age on inbox using brin (id) with (pages_per_range = 16);
