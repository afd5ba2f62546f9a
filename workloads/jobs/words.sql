-- A table with an index, sums, strings; in a file, but without waiting for the disk.
pragma synchronous = off;
create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 50000)
    insert into t select x, hex(x * 7) from c;
create index i on t(b);
update t set b = b || 'x' where a % 7 = 0;
select count(*), sum(length(b)), max(b) from t;
select substr(b, 1, 3) as head, group_concat(a) from t group by head order by count(*) desc limit 3;
vacuum;
