-- What a roll-up is of, beside its day: a question about one channel or team passes over the others without reading them.
drop index rollups_day;
create index rollups_place on rollups (grain, day, channel, intent, team, language);
