-- Who says to be logged in: the name stands in the reasons of what that person does.
alter table ops_session add column name text not null default '';
alter table ops_session alter column name drop default;
