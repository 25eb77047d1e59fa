-- What the operators' console looks up.

-- The operators' own record: events that belong to no application. There are few among all others.
create index event_of_operators on event (position) where tenant = '00000000-0000-0000-0000-000000000000';
