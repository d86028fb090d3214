"""What Redis does by itself, in one step each.

Keys begin with the directory's own namespace. ``meta`` is a hash:

    epoch   random; part of every other key's name: a new epoch forgets everything at once
    run     the server that the epoch was begun on; a restarted or another server begins a new one
    seen    all changes up to this number are reflected in what is kept
    top     the newest change that was heard of
    p:N     change N was heard of, but not yet all before it

A tenant's record is ``VERSION JSON``; the keys that lead to it are ``ID:VERSION …``, and count only while the record
has that version.
"""

from __future__ import annotations

META = "meta"

LOOK = """
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seen')
if meta[1] ~= ARGV[2] then return {-1} end
local base = ARGV[1] .. ARGV[2] .. ':'
local id, version, hint = ARGV[4], false, false
if ARGV[3] ~= 'id' then
    hint = redis.call('GET', base .. ARGV[3] .. ':' .. ARGV[4])
    if not hint then return {tonumber(meta[2])} end
    id, version = string.match(hint, '^(%d+):(%d+)')
end
local record = redis.call('GET', base .. 'tenant:' .. id)
if not record or (version and string.match(record, '^%d+') ~= version) then return {tonumber(meta[2])} end
return {tonumber(meta[2]), record, hint}
"""
"""ARGV: namespace, epoch, kind, key. Returns seen (or -1 when the epoch is over), record, hint."""

FILL = """
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'top')
if meta[1] ~= ARGV[2] or tonumber(ARGV[3]) < tonumber(meta[2]) then return 0 end
local base = ARGV[1] .. ARGV[2] .. ':'
local record = redis.call('GET', base .. 'tenant:' .. ARGV[5])
if record and tonumber(string.match(record, '^%d+')) > tonumber(ARGV[6]) then return 0 end
redis.call('SET', base .. 'tenant:' .. ARGV[5], ARGV[7], 'PX', ARGV[4])
for at = 8, #ARGV, 2 do redis.call('SET', base .. ARGV[at], ARGV[at + 1], 'PX', ARGV[4]) end
return 1
"""
"""ARGV: namespace, epoch, as_of, time-to-live (ms), id, version, record, then pairs of key and hint."""

CHANGE = """
local number, meta = tonumber(ARGV[2]), redis.call('HMGET', KEYS[1], 'epoch', 'seen', 'top')
local ids = {}
for id in string.gmatch(ARGV[3], '%d+') do ids[#ids + 1] = id end
if meta[1] then
    local base, seen = ARGV[1] .. meta[1] .. ':', tonumber(meta[2])
    if number > tonumber(meta[3]) then redis.call('HSET', KEYS[1], 'top', ARGV[2]) end
    if ids[1] == '0' then
        redis.call('HSET', KEYS[1], 'epoch', ARGV[6])
    end
    for _, id in ipairs(ids) do
        local key = base .. 'tenant:' .. id
        local record = redis.call('GET', key)
        if record and tonumber(string.match(record, '^%d+')) < number then redis.call('DEL', key) end
    end
    if ARGV[7] and not redis.call('GET', base .. 'tenant:' .. ids[1]) then
        redis.call('SET', base .. 'tenant:' .. ids[1], ARGV[7], 'PX', ARGV[4])
        for at = 8, #ARGV, 2 do redis.call('SET', base .. ARGV[at], ARGV[at + 1], 'PX', ARGV[4]) end
    end
    if number > seen then
        redis.call('HSET', KEYS[1], 'p:' .. ARGV[2], 1)
        while redis.call('HDEL', KEYS[1], 'p:' .. string.format('%d', seen + 1)) == 1 do seen = seen + 1 end
        redis.call('HSET', KEYS[1], 'seen', string.format('%d', seen))
    end
end
for _, id in ipairs(ids) do redis.call('SET', ARGV[1] .. 'c:' .. ARGV[2] .. ':' .. id, 1, 'PX', ARGV[5]) end
redis.call('PUBLISH', ARGV[1] .. 'changes', ARGV[2] .. ':' .. ARGV[3])
return 1
"""
"""ARGV: namespace, number, ids, time-to-live (ms) of records and of marks, a new epoch, then record and pairs of key
and hint if the change made one tenant what it now is. Marks and the message tell every process."""

BEGIN = """
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seen', 'run')
if not meta[1] or meta[3] ~= ARGV[1] or ARGV[4] == meta[1] then
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'run', ARGV[1], 'seen', ARGV[3], 'top', ARGV[3])
    redis.call('EXPIRE', KEYS[1], 86400)
    return {ARGV[2], tonumber(ARGV[3])}
end
redis.call('EXPIRE', KEYS[1], 86400)
return {meta[1], tonumber(meta[2])}
"""
"""ARGV: the server's run id, a new epoch, the newest change in SQL, the epoch that is to end. Returns epoch, seen."""
