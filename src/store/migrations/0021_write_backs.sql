-- Whether something of the same case waits before it is asked of each that is due: without this, all that waits was looked
-- through for each of them.
create index write_backs_order on write_backs (case_id, target, place) where state = 'pending';
