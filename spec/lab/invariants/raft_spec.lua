local labs = require "spec.support.labs"

local guilty, innocent, judge = labs.guilty, labs.innocent, labs.judge

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
