local labs = require "spec.support.labs"

-- What a world of a wrong protocol is found guilty of.
local function judge(body, options)
  local config = {nodes = 2, invariants = false}
  for name, value in pairs(options or {}) do config[name] = value end
  config.invariants = config.invariants or {"raft"}
  local world <close> = labs.world(body, config)
  return world:run(100)
end

local function guilty(name, body, options)
  local verdict = judge(body, options)
  assert.is_not_nil(verdict, "no verdict")
  assert.equal("invariant_violated", verdict.kind, tostring(verdict))
  assert.equal(name, verdict.name, tostring(verdict))
  return verdict
end

local function innocent(body, options)
  local verdict = judge(body, options)
  assert.is_nil(verdict, verdict and tostring(verdict.traceback or verdict))
end

describe("election safety", function()
  it("finds two leaders of one term, though the first may have stepped down", function()
    local verdict = guilty("election_safety", [[
      node.state = {role = "follower", term = 3}
      node:after(node.id == "n1" and 10 or 20, function() node.state.role = "leader" end)
      node:after(15, function() node.state.role = "follower" end)
    ]])
    assert.equal(20000, verdict.time_us)
    assert.equal("n2", verdict.node)
    assert.matches("n1 and n2 both lead in term 3", verdict.message, 1, true)
  end)

  it("lets terms have leaders of their own, and a leader come again", function()
    innocent[[
      node.state = {role = "leader", term = node.id == "n1" and 1 or 2}
      node:every(10, function()
        node.state.role = node.state.role == "leader" and "follower" or "leader"
      end)
    ]]
    innocent("node.state = 5")
    innocent("node.state = {role = 'leader'}")
  end)
end)

describe("state machine safety", function()
  it("finds two values committed at one index", function()
    guilty("state_machine_safety", [[
      node:committed(1, 1, "a")
      node:committed(2, 1, node.id)
    ]])
  end)

  it("finds one value committed in two terms at one index", function()
    guilty("state_machine_safety", "node:committed(1, node.id == 'n1' and 1 or 2, 'a')")
  end)

  it("finds an index that is left out, or told twice", function()
    guilty("state_machine_safety", "node:committed(1, 1, 'a') node:committed(3, 1, 'c')")
    guilty("state_machine_safety", "node:committed(1, 1, 'a') node:committed(1, 1, 'a')")
  end)

  it("remembers what a crashed node has committed, and lets it tell again", function()
    local plan = {{at_ms = 10, kind = "crash", node = "n1", for_ms = 10}}
    innocent("node:committed(1, 1, 'a') node:committed(2, 1, 'b')", {faults = plan})
    guilty("state_machine_safety", [[
      local boots = node.db:update(function(tx)
        local b = tx:ensure_bucket("b")
        b:put("boots", (b:get("boots") or "") .. "x")
        return b:get("boots")
      end)
      if node.id == "n1" then node:committed(1, 1, boots) end
    ]], {faults = plan})
  end)

  it("counts nothing that a failed turn has told", function()
    local verdict = judge("if node.id == 'n2' then node:committed(1, 1, 'b') error('x') end "
      .. "node:committed(1, 1, 'a')")
    assert.equal("handler_error", verdict.kind)
  end)
end)

describe("log matching", function()
  local head = "local log = require('jangada.log').open(node.db, 'replog') "
  local function entry(term, data) return ("{term = %d, data = %q}"):format(term, data) end

  it("finds two values of one index and term", function()
    guilty("log_matching", head .. [[
      log:save{term = 1, entries = {]] .. entry(1, "same") .. [[, {term = 1, data = node.id}}}
    ]])
  end)

  it("finds entries that are the same on logs that part before them", function()
    guilty("log_matching", head .. [[
      if node.id == "n1" then
        log:save{term = 2, entries = {]] .. entry(1, "a") .. "," .. entry(2, "b") .. [[}}
      else
        log:save{term = 2, entries = {]] .. entry(2, "c") .. "," .. entry(2, "b") .. [[}}
      end
    ]])
  end)

  it("finds a replaced entry that comes back with another value", function()
    guilty("log_matching", head .. [[
      if node.id == "n1" then
        log:save{term = 1, entries = {]] .. entry(1, "a") .. "," .. entry(1, "b") .. [[}}
        node:after(10, function()
          log:save{term = 2, first = 2, entries = {]] .. entry(2, "c") .. [[}}
        end)
      else
        node:after(20, function()
          log:save{term = 1, entries = {]] .. entry(1, "a") .. "," .. entry(1, "B") .. [[}}
        end)
      end
    ]])
  end)

  it("finds a changed entry below one that is as it was before a truncation", function()
    guilty("log_matching", head .. [[
      log:save{term = 1, entries = {]] .. entry(1, "a") .. "," .. entry(1, "b") .. "," ..
        entry(1, "c") .. [[}}
      node:after(10, function() log:save{first = 2, entries = {}} end)
      node:after(20, function()
        log:save{entries = {]] .. entry(1, "B") .. "," .. entry(1, "c") .. [[}}
      end)
    ]], {nodes = 1})
  end)

  it("finds what a node has in its log when it comes back", function()
    guilty("log_matching", head .. [[
      if log:last_index() == 0 then
        log:save{term = 1, entries = {]] .. entry(1, "a") .. "," .. entry(1, "b") .. [[}}
      else
        node.db:update(function(tx)
          local format = require "jangada.log.format"
          tx:bucket("replog"):put(1, format.encode(1, 1, 0, "changed"))
        end)
      end
    ]], {faults = {{at_ms = 10, kind = "crash", node = 1, for_ms = 0}}})
  end)

  it("lets logs part and grow together again", function()
    innocent(head .. [[
      local function save(term, first, ...)
        log:save{term = term, first = first, entries = {...}}
      end
      save(1, 1, ]] .. entry(1, "a") .. [[)
      if node.id == "n1" then
        node:after(10, function() save(2, 2, ]] .. entry(2, "x") .. "," .. entry(2, "y") .. [[) end)
        node:after(20, function() save(3, 2, ]] .. entry(3, "z") .. [[) end)
        node:after(30, function() save(3, 3, ]] .. entry(3, "w") .. [[) end)
      else
        node:after(40, function() save(3, 2, ]] .. entry(3, "z") .. "," .. entry(3, "w") .. [[) end)
      end
    ]])
  end)

  -- n1 writes five entries. n2 has one that conflicts with them, and is sent a snapshot of three.
  local function snapshot_body(rest)
    return head .. [[
      local function save(fields) log:save(fields) end
      if log:last_index() > 0 then return end
      if node.id == "n1" then
        save{term = 2, entries = {]] .. entry(1, "a") .. "," .. entry(2, "b") .. "," ..
          entry(2, "c") .. "," .. entry(2, "d") .. "," .. entry(2, "e") .. [[}, commit = 5}
        node:after(10, function() save{snapshot = {index = 3, term = 2}, compact = 3} end)
      else
        save{term = 1, entries = {]] .. entry(1, "a") .. "," .. entry(1, "x") .. [[}}
        node:after(20, function()
          save{term = 2, snapshot = {index = 3, term = 2}, first = 4, commit = 3}
        end)
        node:after(30, function() ]] .. rest .. [[ end)
      end
    ]]
  end
  local restarts = {
    {at_ms = 50, kind = "crash", node = "n1", for_ms = 0},
    {at_ms = 50, kind = "crash", node = "n2", for_ms = 0},
  }

  it("lets a log begin after a snapshot, and come back so", function()
    innocent(snapshot_body("save{entries = {" .. entry(2, "d") .. "," .. entry(2, "e") .. "}}"),
      {faults = restarts})
  end)

  it("finds another entry after a snapshot", function()
    local verdict = guilty("log_matching",
      snapshot_body("save{entries = {" .. entry(2, "d") .. "," .. entry(2, "E") .. "}}"))
    assert.equal(30000, verdict.time_us)
    assert.matches("n2 has another entry at index 5, term 2", verdict.message, 1, true)
  end)

  it("knows what stands before such an entry once another log has shown it", function()
    local function body(last_term)
      return head .. [[
        local function save(fields) log:save(fields) end
        local function save_all(term)
          save{term = 3, entries = {]] .. entry(1, "a") .. "," .. entry(1, "b") ..
            [[, {term = term, data = "c"}, ]] .. entry(3, "d") .. [[}}
        end
        if node.id == "n1" then
          save{term = 3, snapshot = {index = 3, term = 1}, first = 4, commit = 3}
          save{entries = {]] .. entry(3, "d") .. [[}}
        else
          node:after(node.id == "n2" and 10 or 20, function()
            save_all(node.id == "n2" and 1 or ]] .. last_term .. [[)
          end)
        end
      ]]
    end
    innocent(body(1), {nodes = 3})
    local verdict = guilty("log_matching", body(2), {nodes = 3})
    assert.equal(20000, verdict.time_us)
  end)

  it("has nothing to say of nodes without a log", function()
    innocent("node.db:update(function(tx) tx:ensure_bucket('other'):put('k', node.id) end)")
  end)
end)

describe("leader append only", function()
  local head = "local log = require('jangada.log').open(node.db, 'replog') "
  local entries = "{{term = 1, data = 'a'}, {term = 1, data = 'b'}}"

  -- n1 leads in term 1 from the beginning, and does this to its log of two entries.
  local function leader(what, role)
    return head .. [[
      if node.id == "n2" then return end
      if log:last_index() > 0 then return end
      node.state = {role = "leader", term = 1}
      log:save{term = 1, entries = ]] .. entries .. [[}
      node:after(10, function()
        node.state.role = "]] .. (role or "leader") .. [["
        log:save]] .. what .. [[

      end)
    ]]
  end

  it("finds a leader that removes what its log had, or replaces it", function()
    local verdict = guilty("leader_append_only", leader("{first = 2, entries = {}}"))
    assert.equal("n1 leads in term 1 and replaces or removes the entry of its log at index 2",
      verdict.message)
    guilty("leader_append_only", leader("{term = 2, first = 1, entries = {{term = 2, data = ''}}}"))
  end)

  it("lets a leader append and compact, and a follower replace", function()
    innocent(leader("{entries = {{term = 1, data = 'c'}}}"))
    innocent(leader("{commit = 2, snapshot = {index = 2, term = 1}, compact = 2}"))
    innocent(leader("{first = 2, entries = {}}", "follower"))
    innocent(leader("{first = 2, entries = {}}", "follower"),
      {faults = {{at_ms = 5, kind = "crash", node = "n1", for_ms = 10}}})
  end)
end)

describe("leader completeness", function()
  local head = "local log = require('jangada.log').open(node.db, 'replog') "

  -- n1 leads in term 1 and commits what it has in its log; n2 has this in its own and leads in a
  -- later term.
  local function later(data, term)
    return head .. [[
      if node.id == "n1" then
        log:save{term = 1, entries = {{term = 1, data = "a"}, {term = 1, data = "b"}}}
        node.state = {role = "leader", term = 1}
        node:after(10, function()
          node:committed(1, 1, "a")
          node:committed(2, 1, "b")
        end)
      else
        log:save{term = 1, entries = {]] .. data .. [[}}
        node.state = {role = "follower", term = 1}
        node:after(20, function() node.state = {role = "leader", term = ]] .. term .. [[} end)
      end
    ]]
  end

  it("finds a leader that lacks what was committed before it", function()
    local verdict = guilty("leader_completeness", later("{term = 1, data = 'a'}", 2))
    assert.equal(20000, verdict.time_us)
    assert.equal("n2 leads in term 2 without the entry at index 2, term 1, which was committed by "
      .. "term 1", verdict.message)
  end)

  it("finds a leader of an earlier term that commits what a later one lacks", function()
    local verdict = guilty("leader_completeness",
      (later("{term = 1, data = 'a'}", 2):gsub("after%(20", "after(5")))
    assert.equal(10000, verdict.time_us)
  end)

  it("lets a leader lead that has it all, and one that leads no more", function()
    innocent(later("{term = 1, data = 'a'}, {term = 1, data = 'b'}", 2))
    innocent((later("", 2):gsub('role = "leader", term = 2', 'role = "candidate", term = 2')))
  end)
end)

describe("the term and the commit index", function()
  it("do not fall", function()
    guilty("term_monotonic", [[
      node.state = {term = 3}
      node:after(10, function() node.state.term = 2 end)
    ]])
    guilty("commit_monotonic", [[
      node.state = {term = 3, commit = 3}
      node:after(10, function() node.state.commit = 2 end)
    ]])
    innocent[[
      node.state = {term = 3, commit = 1}
      node:every(10, function()
        node.state.term, node.state.commit = node.state.term + 2, node.state.commit + 1
      end)
    ]]
  end)

  it("are not the same after a restart: a commit index may be behind, a term may not", function()
    local plan = {{at_ms = 50, kind = "crash", node = 1, for_ms = 0}}
    local function body(name)
      return "node.state = {" .. name .. " = 1} node:after(10, function() node.state." .. name
        .. " = 2 end)"
    end
    innocent(body("commit"), {faults = plan})
    assert.equal(50000, guilty("term_monotonic", body("term"), {faults = plan}).time_us)
  end)
end)

describe("what a client was told", function()
  local head = "local log = require('jangada.log').open(node.db, 'replog') "
  local function told(data, ms)
    return function(client) client:after(ms or 10, function() client:acknowledged(data) end) end
  end

  it("was committed before", function()
    local body = "node:after(5, function() node:committed(1, 1, 'a') end)"
    innocent(body, {clients = {told("a")}})
    local verdict = guilty("acknowledged_durable", body, {clients = {told("b")}})
    assert.equal('c1 was told that something is committed which no node has told of: "b"',
      verdict.message)
    guilty("acknowledged_durable", body, {clients = {told("a", 4)}})
  end)

  -- Three nodes have the entry in their logs, some of them not for long.
  local function body(forgetful)
    return head .. [[
      if log:last_index() == 0 and node:now() == 0 then
        log:save{term = 1, entries = {{term = 1, data = "a"}}}
        node:committed(1, 1, "a")
      end
      if (]] .. forgetful .. [[):find(node.id) then
        node:after(20, function() log:save{first = 1, entries = {}} end)
      end
    ]]
  end

  it("stays in the logs of a majority, crashed ones too", function()
    local crash = {{at_ms = 30, kind = "crash", node = "n1", for_ms = 40}}
    innocent(body("'n1'"), {nodes = 3, clients = {told("a")}, faults = crash})
    local verdict = guilty("acknowledged_durable", body("'n1n3'"),
      {nodes = 3, clients = {told("a")}, faults = crash})
    assert.equal(20000, verdict.time_us)
    assert.equal("c1 was told that the entry at index 1, term 1 is committed, which is in 1 of 3 "
      .. "logs", verdict.message)
    guilty("acknowledged_durable", body("'n1n3'"), {nodes = 3, clients = {told("a", 25)}})
  end)

  it("may be covered by a snapshot", function()
    innocent((body("'n1n2n3'"):gsub("{first = 1, entries = {}}",
      "{commit = 1, snapshot = {index = 1, term = 1}, compact = 1}")),
      {nodes = 3, clients = {told("a"), told("a", 60)},
        faults = {{at_ms = 50, kind = "crash", node = 2, for_ms = 40}}})
  end)
end)

describe("consensus", function()
  local pack = {invariants = {"consensus"}}

  it("has one value, by whatever ballots, told whenever", function()
    local body = "node:trace('propose', {value = 'a'}) node:trace('propose', {value = 'b'}) "
    innocent(body .. [[
      node:every(10, function() node:committed(1, node:now(), "a") end)
      node:committed(7, 1, "b")
    ]], pack)
    local verdict = guilty("agreement",
      body .. "node:committed(1, 1, node.id == 'n1' and 'a' or 'b')", pack)
    assert.equal('n2 holds another value for chosen at 1 than n1: "b"', verdict.message)
  end)

  it("has a value that was proposed", function()
    local body = [[
      if node.id == "n1" then node:trace("propose", {value = "a"}) end
      node:trace("other", {value = "b"})
      node:trace("propose")
      node:committed(1, 1, node.id == "n2" and options.value or "a")
    ]]
    innocent(body, {invariants = {"consensus"}, options = {value = "a"}})
    local verdict = guilty("validity", body,
      {invariants = {"validity", "agreement"}, options = {value = "b"}})
    assert.equal('n2 holds a value for chosen at 1 that nobody has proposed: "b"', verdict.message)
  end)
end)

describe("a pack", function()
  it("stands for several invariants, each of them once", function()
    local world <close> = labs.world("", {invariants = {"validity", "consensus", "committed"}})
    local names = {}
    for i, invariant in ipairs(world.invariants) do names[i] = invariant.name end
    assert.same({"validity", "agreement", "acknowledged_durable"}, names)
  end)
end)

describe("an invariant of one's own", function()
  it("may be a function, called after each turn", function()
    local turns = 0
    local verdict = guilty("invariant 1", [[
      node.state = {n = 0}
      node:every(10, function() node.state.n = node.state.n + 1 end)
    ]], {nodes = 1, invariants = {function(world, machine)
      turns = turns + 1
      assert.equal(world.nodes[1], machine)
      if machine.state.n > 3 then return "too many" end
    end}})
    assert.equal("too many", verdict.message)
    assert.equal(40000, verdict.time_us)
    assert.equal(5, turns)
  end)

  it("may be a table, told of boots, turns and commits", function()
    local told = {}
    innocent([[
      node:after(5, function() node:committed(1, 2, "x") end)
      node:after(6, function() node.db:update(function(tx) tx:ensure_bucket("b") end) end)
    ]], {nodes = 1, invariants = {{
      name = "mine",
      booted = function(_, machine) told[#told + 1] = "boot " .. machine.id end,
      turn = function(_, _, wrote) told[#told + 1] = wrote and "wrote" or "turn" end,
      committed = function(_, _, index, term, data)
        told[#told + 1] = ("commit %d %d %s"):format(index, term, data)
      end,
    }}})
    assert.same({"boot n1", "turn", "commit 1 2 x", "turn", "wrote"}, told)
  end)

  it("must be one", function()
    for _, invariant in ipairs{"no_such", 5, {}} do
      assert.equal("option_invalid", (labs.code_of(labs.world, "", {invariants = {invariant}})))
    end
  end)
end)
