-- What exceptions add to the read model: reviews to list, payments that collect the missing part of another, and credit.
-- The projection `orders` fills these for every event from now on; `replay --projection orders` fills them for older ones.
alter table payment_view
  add column review text not null default 'none' check (review in ('none', 'open', 'resolved')),
  add column remainder_of uuid,
  add column credit numeric not null default 0;

create index payment_view_review on payment_view (application_id, payment_id) where review = 'open';

alter table order_view add column credit numeric not null default 0;
