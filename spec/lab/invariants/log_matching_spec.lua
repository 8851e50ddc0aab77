local labs = require "spec.support.labs"

local guilty, innocent = labs.guilty, labs.innocent

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
