-- Takes one request of KEYS[1], or not: the same as Rate.take, by Redis' own clock.
-- ARGV: interval and window in microseconds. Answers {allowed, reset, retry after} in microseconds.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local taken = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local next = taken + interval
local wait = next - window - now
if wait > 0 then
  return {0, taken - now, wait}
end
-- %d would write 16 digits as 1e+15.
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
return {1, next - now, 0}
