-- What leaves for one conversation leaves in order.
create index outbox_conversation on outbox (channel, conversation, id) where state = 'pending';
