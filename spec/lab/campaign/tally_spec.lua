local tallies = require "jangada.lab.campaign.tally"

describe("the tally of a campaign", function()
  it("counts outcomes, and groups what failed by its kind", function()
    local tally = tallies.new()
    local function add(seed, kind, fields)
      local verdict = fields or {}
      verdict.kind = kind
      return tally:add{seed = seed, verdict = kind and verdict}
    end
    assert.is_nil(add(1))
    assert.equal(1, #add(9, "invariant_violated", {name = "log_matching"}).results)
    assert.equal(2, #add(3, "invariant_violated", {name = "log_matching"}).results)
    add(4, "invariant_violated", {name = "election_safety"})
    add(5, "handler_error", {code = "log_committed"})
    add(6, "wrong")
    for i, kind in ipairs{"time_exceeded", "worker_died", "events_exceeded", "queue_exceeded",
      "trace_exceeded"} do
      add(10 + i, kind)
    end
    add(20, "store_failed")
    add(21, "scenario_failed")
    assert.same({passed = 1, violation = 5, unknown = 5, error = 2}, tally.counts)
    assert.equal(13, tally.total)
    local names = {}
    for i, group in ipairs(tally:sorted()) do names[i] = group.subject or group.kind end
    assert.same({"log_matching", "log_committed", "election_safety", "wrong", "scenario_failed",
      "store_failed", "events_exceeded", "queue_exceeded", "time_exceeded", "trace_exceeded",
      "worker_died"}, names)
    local first = tally:sorted()[1]
    assert.same({3, 9}, {first.results[1].seed, first.results[2].seed})
  end)

  it("counts the seeds of hopeless worlds, and those that failed", function()
    local tally = tallies.new()
    tally:add{seed = 1, hopeless = true}
    tally:add{seed = 2, verdict = {kind = "wrong"}}
    local group = tally:add{seed = 3, hopeless = true, verdict = {kind = "wrong"}}
    assert.same({2, 1, 2}, {tally.hopeless, group.hopeless, #group.results})
  end)

  it("sums marks, and knows those that were never reached", function()
    local tally = tallies.new()
    tally:add{seed = 1, marks = {b = 2, a = 0, c = 0}}
    tally:add{seed = 2, marks = {a = 1, c = 0}}
    local reached, never = tally:sorted_marks()
    assert.same({{name = "a", count = 1}, {name = "b", count = 2}}, reached)
    assert.same({"c"}, never)
  end)
end)
