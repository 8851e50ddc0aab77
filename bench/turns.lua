-- What a contestant does that is written in Lua: it appends when it is told to, and tells how long
-- that took. Plain Lua of any version: tarantool runs it, too.
--
-- A line of standard input is a turn: how many commits to do. It is answered with the seconds they
-- took. The end of the input is answered with a JSON object over all turns but the first, which
-- warms up: who, batch, commits, entries_per_s, commits_per_s, and of a commit's latency mean_us,
-- p50_us, p99_us, p999_us and max_us. The contestants in C and Go (bench/peers/) do the same.

local turns = {}

local function percentile(sorted, share)
  return sorted[math.min(#sorted, math.floor(share * #sorted) + 1)] * 1e6
end

local LINE = '{"who":"%s","batch":%d,"commits":%d,"entries_per_s":%.1f,"commits_per_s":%.1f,'
  .. '"mean_us":%.2f,"p50_us":%.2f,"p99_us":%.2f,"p999_us":%.2f,"max_us":%.2f}'

local function report(who, batch, latencies)
  local seconds, commits = 0, #latencies
  for _, latency in ipairs(latencies) do seconds = seconds + latency end
  table.sort(latencies)
  print(LINE:format(who, batch, commits, commits * batch / seconds, commits / seconds,
    seconds / commits * 1e6, percentile(latencies, 0.5), percentile(latencies, 0.99),
    percentile(latencies, 0.999), latencies[commits] * 1e6))
end

--- Serves turns until the input ends.
---@param who string
---@param batch integer entries a commit
---@param now fun(): number seconds
---@param append fun(first: integer) appends a batch durably; `first` is its first entry's index
function turns.serve(who, batch, now, append)
  local latencies, index, turn = {}, 1, 0
  for line in io.lines() do
    local seconds = 0
    for _ = 1, tonumber(line) do
      local started = now()
      append(index)
      local latency = now() - started
      latencies[#latencies + 1], seconds = latency, seconds + latency
      index = index + batch
    end
    print(("%.6f"):format(seconds))
    io.stdout:flush()
    if turn == 0 then latencies = {} end
    turn = turn + 1
  end
  if #latencies > 0 then report(who, batch, latencies) end
end

return turns
