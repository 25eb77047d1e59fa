-- The payments of one payment link, newest first: their order ids begin with `link-` and its id.
create index payment_view_link on payment_view (left(order_id, 41), payment_id) where order_id like 'link-%';
