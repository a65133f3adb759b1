-- Uses up one refresh token in one step, so that of two requests with it only one makes a successor.
-- KEYS: the session; the memory of this token's use.
-- ARGV: now (ms), digest of the token, digest and sealed text of its successor, idle time (ms),
--       replay window (ms).
local session = redis.call('HMGET', KEYS[1], 'current', 'idle_at', 'ends_at')
local now = tonumber(ARGV[1])
if not session[1] or now >= tonumber(session[2]) or now >= tonumber(session[3]) then
  return {'gone', ''}
end

if session[1] == ARGV[2] then
  local idle_at = math.min(now + tonumber(ARGV[5]), tonumber(session[3]))
  redis.call('HSET', KEYS[1], 'current', ARGV[3], 'used_at', ARGV[1],
    'idle_at', string.format('%.0f', idle_at))
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', idle_at - now))
  redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. ARGV[4], 'PX', ARGV[6])
  return {'rotated', ''}
end

local used = redis.call('GET', KEYS[2])
if used then
  local space = string.find(used, ' ', 1, true)
  if now - tonumber(string.sub(used, 1, space - 1)) < tonumber(ARGV[6]) then
    return {'replayed', string.sub(used, space + 1)}
  end
end

redis.call('DEL', KEYS[1])
return {'revoked', ''}
