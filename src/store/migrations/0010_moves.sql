-- Where the customer was offered to go on, and what they said to it (JSON).
alter table cases add column move_offer text;
