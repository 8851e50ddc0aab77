-- How a world serves its nodes: the host that jangada.node calls. The owner of a life is the
-- machine it runs on.

local heaps = require "jangada.lab.heap"
local networks = require "jangada.lab.network"
local plain = require "jangada.node.plain"
local store = require "jangada.store"

local crc32c = store.crc32c
local fate, push, time_max_us = networks.fate, heaps.push, heaps.time_max_us

local ODD <const> = 0x9E3779B97F4A7C15

local Host = {}
Host.__index = Host
Host.__name = "jangada.lab.Host"

local M = {}

---Makes the host of a world.
---@param world table
---@return table host
function M.new(world)
  return setmetatable({world = world, endpoints = world.endpoints}, Host)
end

function Host:now_us()
  return self.world.time_us
end

function Host:schedule(machine, timer, time_us)
  self.world:push(time_us, timer, machine)
end

function Host.choose(_, machine, n)
  return machine.chance:choose(n)
end

function Host:maybe(machine, name)
  local world = self.world
  return world.oracle:stream(("maybe %s %s"):format(machine.id, name)):chance(world.maybe_rate)
end

function Host:is_client(id)
  return self.endpoints[id].is_client == true
end

-- A message leaves a node, or a client: the source is a machine or a client. What a world does most
-- often, so it puts the message into the queue itself.
function Host:transmit(source, dest, body, digest)
  local world, src = self.world, source.id
  local trace = world.trace
  world.sent = world.sent + 1
  -- A fold in place, without a call: each is a bijection of the value so far (an odd factor, a
  -- shift folded back), so no difference is ever lost.
  local value = (trace.value ~ digest) * ODD + (source.index << 8 | self.endpoints[dest].index)
  trace.value = value ~ value >> 32
  local delay, why = fate(world.network, src, dest)
  if trace.observe then
    trace:row{kind = "send", src = src, dest = dest, body = plain.clone(body), lost = why}
  end
  if not delay then
    world.lost = world.lost + 1
    return
  end
  local time_us = world.time_us + delay
  if time_us > time_max_us then time_us = time_max_us end
  if not push(world.heap, time_us, {src = src, dest = dest, body = body}, world.queue_max) then
    world:fail_queue()
  end
end

function Host:noted(machine, name, fields, digest)
  local trace = self.world.trace
  trace:fold_name(name, digest + machine.index)
  if trace.observe then
    trace:row{kind = "trace", node = machine.id, name = name, fields = fields}
  end
end

function Host:committed(machine, index, term, data)
  local world = self.world
  local trace = world.trace
  local value = (trace.value ~ (#data << 32 | crc32c(data))) * ODD + (term << 40 ~ index)
  trace.value = value ~ value >> 32
  if trace.observe then
    trace:row{kind = "commit", node = machine.id, index = index, term = term, data = data}
  end
  world:judge_commit(machine, index, term, data)
end

function Host:reached(machine, name)
  local world = self.world
  world.marks[name] = (world.marks[name] or 0) + 1
  if world.trace.observe then
    world.trace:row{kind = "reached", node = machine.id, name = name}
  end
end

function Host:printed(machine, text)
  local world = self.world
  if world.trace.observe then
    world.trace:row{kind = "print", node = machine.id, text = text}
  else
    io.stdout:write(("%.3f ms  %s  %s\n"):format(world.time_us / 1000, machine.id, text))
  end
end

return M
