-- What orders the looks, and where the gateway's history tells of them: when the payment was asked for, and its deadline.
alter table look
  add column created_at timestamptz,
  add column deadline timestamptz;
