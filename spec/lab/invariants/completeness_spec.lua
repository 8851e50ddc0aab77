local labs = require "spec.support.labs"

local guilty, innocent = labs.guilty, labs.innocent

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
