# A server with two I/O threads, fed from commands.txt by a client that prints the replies.
redis-server --port 0 --unixsocket "$PWD/redis.sock" --save '' --logfile /dev/null \
    --io-threads 2 --io-threads-do-reads yes --daemonize no &
for attempt in $(seq 200); do
    redis-cli -s redis.sock ping >/dev/null 2>&1 && break
    sleep 0.05
done
redis-cli -s redis.sock ping || { kill $!; exit 1; }
redis-cli -s redis.sock <commands.txt
redis-cli -s redis.sock dbsize
redis-cli -s redis.sock flushall sync
redis-cli -s redis.sock shutdown nosave
wait $!
