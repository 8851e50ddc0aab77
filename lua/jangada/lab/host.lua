-- How a world serves its nodes: the host that jangada.node calls. The owner of a life is the
-- machine it runs on.

local heaps = require "jangada.lab.heap"
local networks = require "jangada.lab.network"
local plain = require "jangada.node.plain"
local store = require "jangada.store"

local crc32c, mix = store.crc32c, plain.mix
local push, time_max_us = heaps.push, heaps.time_max_us

local ODD <const> = 0x9E3779B97F4A7C15

local M = {}

-- Puts a message into the queue, or where a clog holds it.
local function put(world, message, delay, clog)
  if not clog then return world:push(world.time_us + delay, message) end
  local held = clog.held
  held[#held + 1] = {message = message, delay = delay}
  if #held > world.queue_max then world:fail_queue() end
end

-- Something befalls a message: it is lost, held, or there is a second one.
local function befall(world, message, delay, why, again, clog)
  if not delay then
    world.lost = world.lost + 1
    if why == "corrupted" then world.corrupted = world.corrupted + 1 end
    return
  end
  put(world, message, delay, clog)
  if not again then return end
  local copy = {src = message.src, dest = message.dest, body = plain.clone(message.body)}
  world.duplicated = world.duplicated + 1
  if world.trace.observe then
    world.trace:row{kind = "send", src = copy.src, dest = copy.dest, body = plain.clone(copy.body),
      copy = true, held = clog and true, message = copy}
  end
  put(world, copy, again, clog)
end

-- Messages leave a node, or a client: the source is a machine or a client. What a world does most
-- often, so it puts them into the queue itself.
local function new_transmit(world)
  local trace, network, heap = world.trace, world.network, world.heap
  local endpoints, queue_max = world.endpoints, world.queue_max
  local is_asked = world.oracle.choose_by
  local fate = is_asked and networks.asked_fate or networks.fate

  return function(source, sends)
    local n, src, index = sends.n, source.id, source.index << 8
    sends.n = 0
    world.sent = world.sent + n // 2
    local value, observes, now_us = trace.value, trace.observe, world.time_us
    local is_even = not is_asked and not network.is_troubled
    local links, spread, least_us = network.links[src], network.spread, network.delay_us
    for i = 1, n, 2 do
      local message = sends[i]
      local dest = message.dest
      -- A fold in place, without a call: each is a bijection of the value so far (an odd factor, a
      -- shift folded back), so no difference is ever lost.
      value = (value ~ sends[i + 1]) * ODD + (index | endpoints[dest].index)
      value = value ~ value >> 32
      local delay, why, again, clog
      if is_even and dest ~= src then -- most messages: as networks.fate, without the call
        local link = links[dest]
        local count = link.count + 1
        link.count = count
        delay = (mix(link.seed, count) >> 1) % spread + least_us
      else
        delay, why, again, clog = fate(network, src, dest, now_us)
      end
      if observes then
        trace.value = value
        trace:row{kind = "send", src = src, dest = dest, body = plain.clone(message.body),
          lost = not delay and why or nil, held = clog and true, message = message}
      end
      if not why then
        local time_us = now_us + delay
        if time_us > time_max_us then time_us = time_max_us end
        if not push(heap, time_us, message, queue_max) then
          trace.value = value
          world:fail_queue()
          value = trace.value
        end
      else
        trace.value = value
        befall(world, message, delay, why, again, clog)
        value = trace.value
      end
      sends[i] = nil
    end
    trace.value = value
    if world.sent + world.duplicated - world.delivered - world.lost > world.messages_max then
      world:fail_messages()
    end
  end
end

---Lets go of what a clog held, in its order. For jangada.lab.links.
---@param world table
---@param clog table a layer that is no more, or holds some links no longer
function M.release(world, clog)
  local network, held = world.network, clog.held
  clog.held = {}
  for _, item in ipairs(held) do
    local message = item.message
    local delay, other = network:release(message.src, message.dest, item.delay, world.time_us)
    put(world, message, delay or item.delay, other)
  end
end

---Makes the host of a world.
---@param world table
---@return table host
function M.new(world)
  local endpoints, trace = world.endpoints, world.trace
  local host = {endpoints = endpoints, transmit = new_transmit(world)}

  function host.now_us(machine)
    local clock, now_us = machine.clock, world.time_us
    return clock and clock:own(now_us) or now_us
  end

  function host.clock_us(machine)
    local clock, now_us = machine.clock, world.time_us
    return clock and clock:own(now_us) + clock.offset_us or now_us
  end

  function host.schedule(machine, timer, due_us)
    world:schedule(machine, timer, due_us)
  end

  function host.choose(machine, n)
    return machine.chance:choose(n)
  end

  function host.maybe(machine, name)
    return world.oracle:stream(("maybe %s %s"):format(machine.id, name)):chance(world.maybe_rate)
  end

  function host.is_client(id)
    return endpoints[id].is_client == true
  end

  function host.noted(machine, name, fields, digest)
    trace:fold_name(name, digest + machine.index)
    for _, invariant in ipairs(world.judges.noted or {}) do
      invariant:noted(machine, name, fields)
    end
    if trace.observe then
      trace:row{kind = "trace", node = machine.id, name = name, fields = fields}
    end
  end

  function host.committed(machine, index, term, data)
    machine.committed_us = world.time_us
    local value = (trace.value ~ (#data << 32 | crc32c(data))) * ODD + (term << 40 ~ index)
    trace.value = value ~ value >> 32
    if trace.observe then
      trace:row{kind = "commit", node = machine.id, index = index, term = term, data = data}
    end
    if world.judges.committed then world:judge_commit(machine, index, term, data) end
  end

  function host.reached(machine, name)
    world.marks[name] = (world.marks[name] or 0) + 1
    if trace.observe then trace:row{kind = "reached", node = machine.id, name = name} end
  end

  function host.printed(machine, text)
    if trace.observe then
      trace:row{kind = "print", node = machine.id, text = text}
    else
      io.stdout:write(("%.3f ms  %s  %s\n"):format(world.time_us / 1000, machine.id, text))
    end
  end

  return host
end

return M
