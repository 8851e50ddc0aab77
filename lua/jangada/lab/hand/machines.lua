-- The verbs of clocks and disks, by hand: name -> {takes, does, run}, as jangada.lab.hand.verbs has
-- them.

local M = {}

local function define(name, takes, does, run)
  M[name] = {takes, does, run}
end

-- A verb that does something to the clock, or the disk, of each node that is named.
local function sets(name, takes, does, run)
  define(name, takes, does, function(hand, nodes, value)
    for _, machine in ipairs(hand:machines(nodes)) do run(hand.world, machine.id, value) end
  end)
end

sets("clock_offset", "NODES SHIFT", "what node:now says is so far ahead, or behind",
  function(world, id, ms) world:set_clock(id, {offset_ms = ms}) end)

sets("clock_step", "NODES SHIFT", "what node:now says jumps",
  function(world, id, ms) world:step_clock(id, ms) end)

sets("clock_drift", "NODES SPEED", "clocks, and timers with them, go so quickly",
  function(world, id, speed) world:set_clock(id, {rate = speed}) end)

sets("clock_freeze", "NODES", "clocks stand still; no timer fires",
  function(world, id) world:set_clock(id, {rate = 0}) end)

sets("clock_right", "NODES", "clocks go right again", function(world, id) world:set_clock(id) end)

sets("slow_disk", "NODES [LAW]", "flushes take so long; without LAW as at first",
  function(world, id, law) world:set_flush(id, law or nil) end)

sets("wipe", "NODES", "crashes nodes and empties their disks; in a hopeless world only",
  function(world, id) world:wipe(id) end)

sets("lying_disk", "NODES SWITCH", "flushes succeed and keep nothing; in a hopeless world only",
  function(world, id, switch) world:set_lying(id, switch.is_on) end)

define("swap_disks", "NODE NODE",
  "crashes two nodes, and each boots again with the other's disk; in a hopeless world only",
  function(hand, a, b)
    local one, other = hand:id(a), hand:id(b)
    local is_done = one and other and hand.world:swap_disks(one, other)
    return not is_done and "there are no two nodes" or nil
  end)

define("fail_disk", "NODE [DISK_CALL] [DISK_ERROR]",
  "the next write, or flush, of a node's disk fails: the node stops",
  function(hand, node, call, how)
    local id = hand:id(node)
    if not id then return "there is nobody to do it to" end
    hand.world:fail_disk(id, call or nil, how or nil)
  end)

define("mend_disk", "NODES", "disks serve again, and nodes that they stopped boot",
  function(hand, nodes)
    local idle = {}
    for _, machine in ipairs(hand:machines(nodes)) do
      if not hand.world:mend_disk(machine.id) then idle[#idle + 1] = machine.id end
    end
    return #idle > 0 and ("no failing disk: %s"):format(table.concat(idle, ", ")) or nil
  end)

define("rot", "NODE [COUNT]", "a bit of an entry of a node's log is wrong from now on",
  function(hand, node, index)
    local id = hand:id(node)
    local rotten = id and hand.world:rot(id, index or nil)
    return rotten and ("%s, entry %d"):format(id, rotten) or "there is no such entry"
  end)

return M
