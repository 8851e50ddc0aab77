-- Primary and backup, and the seed that shows what is wrong with them. Run it from the root of the
-- repository:
--
--     jangada lab run examples/primary_backup_scenario.lua
--
-- Five short cuts of the network go well. The sixth is longer than a node waits for the other: both
-- lead, both answer their clients, and version 53 is two different values. With --seed 2 nothing is
-- cut, and all looks right.

-- One client for each node, so that each side of a cut has one. Both write as long as they get
-- answers.
local function writer(node, name)
  return function(client)
    local n = 0
    local function write()
      n = n + 1
      local body = { type = "write", value = ("%s%d"):format(name, n) }
      client:request(node, body, 200, function() client:after(30, write) end)
    end
    write()
  end
end

-- What is acknowledged is never replaced: each version of the register has one value.
local function one_history()
  local values, nodes = {}, {}
  return {
    name = "one_history",
    committed = function(_, machine, version, _, value)
      local known = values[version]
      values[version], nodes[version] = known or value, nodes[version] or machine.id
      if known and known ~= value then
        return ("version %d is %q for the clients of %s, and %q for those of %s"):format(version,
          known, nodes[version], value, machine.id)
      end
    end,
  }
end

return {
  seed = 6,
  nodes = 2,
  protocol = "examples/primary_backup.lua",
  network = { delay_ms = { 1, 10 } },
  faults = { duration_ms = 3000, kinds = { "partition" } },
  clients = { writer("n1", "a"), writer("n2", "b") },
  invariants = { one_history() },
  duration_ms = 4000,
}
