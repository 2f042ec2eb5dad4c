-- Whether the customer is to be asked, or was asked, if a message belongs to the case (JSON).
alter table cases add column doubt text;
