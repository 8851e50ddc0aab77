-- What tells the states of an exploration apart.

local explored = require "spec.support.explored"
local memories = require "jangada.lab.explore.memory"

local explore = require("jangada.lab").explore
local maker = explored.maker
local all_ways = explored.all_ways
local seen_by = explored.seen_by

-- The digest of values, with leaves by value or by the name of a metatable.
local function digest(value, leaves, clock_us)
  local memory = memories.new(leaves or {}, clock_us or 0)
  memory:walk(value)
  return memory.value
end

-- All of them are different, and each is the same again.
local function assert_apart(makers)
  local seen = {}
  for i, make in ipairs(makers) do
    local value = digest(make())
    assert.equal(value, digest(make()), i)
    assert.is_nil(seen[value], ("%d is as %s"):format(i, seen[value]))
    seen[value] = i
  end
end

local function counter(n)
  return function() n = n + 1 return n end
end

describe("the digest of a memory", function()
  it("is another for another value, of whatever type", function()
    local makers = {}
    for _, value in ipairs{false, true, 0, 1, 1.5, -1, "", "0", "1", "a"} do
      makers[#makers + 1] = function() return value end
    end
    assert_apart(makers)
  end)

  it("is another for another table: its list, its names, its depth", function()
    assert_apart{
      function() return {} end, function() return {1} end, function() return {1, 2} end,
      function() return {2, 1} end, function() return {a = 1} end, function() return {b = 1} end,
      function() return {a = 2} end, function() return {a = 1, b = 1} end,
      function() return {{}} end, function() return {{1}} end, function() return {a = {1}} end,
      function() return {[1.5] = 1} end, function() return {[true] = 1} end,
    }
  end)

  it("does not know in which order a table was filled", function()
    local one, other = {}, {}
    for i = 1, 20 do one["k" .. i] = i end
    for i = 20, 1, -1 do other["k" .. i] = i end
    one[true], one[2.5] = 1, 2
    other[2.5], other[true] = 2, 1
    assert.equal(digest(one), digest(other))
  end)

  it("tells what is shared from what is equal, and comes to an end in a circle", function()
    assert_apart{
      function() local t = {} return {t, t} end, function() return {{}, {}} end,
      function() local t = {} t[1] = t return t end,
      function() local t = {{}} t[1][1] = t return t end,
      function() local t = {{}} t[1][1] = t[1] return t end,
    }
  end)

  it("knows a function by its place in the source, and by what its variables hold", function()
    assert_apart{
      function() return counter(1) end, function() return counter(2) end,
      function() return function() return 1 end end, function() return print end,
      function() return type end,
    }
    local one = counter(1)
    one()
    assert.equal(digest(counter(2)), digest(one))
  end)

  it("knows a table's metatable, or what that remembers, and of it nothing else", function()
    local function with(meta, t) return setmetatable(t, meta) end
    assert.not_equal(digest(with({__index = {1}}, {})), digest(with({__index = {2}}, {})))
    local meta = {remembers = function(t) return t.kept end}
    assert.equal(digest(with(meta, {kept = 1, passing = 2})),
      digest(with(meta, {kept = 1, passing = 3})))
    assert.not_equal(digest(with(meta, {kept = 1})), digest(with(meta, {kept = 2})))
  end)

  it("does not go into a leaf, known by itself or by the name of its metatable", function()
    local leaf, named = {1}, setmetatable({1}, {__name = "a.Leaf"})
    local leaves = {[leaf] = 7, ["a.Leaf"] = function(memory, value) memory:fold(value[1]) end}
    local before, of_name = digest(leaf, leaves), digest(named, leaves)
    leaf[1], named.more = 2, true
    assert.equal(before, digest(leaf, leaves))
    assert.equal(of_name, digest(named, leaves))
    named[1] = 2
    assert.not_equal(of_name, digest(named, leaves))
  end)

  it("is never the same where nobody knows what comes next", function()
    local function running()
      local thread = coroutine.create(function() coroutine.yield() end)
      coroutine.resume(thread)
      return thread
    end
    local thread = running()
    assert.not_equal(digest(thread), digest(thread))
    coroutine.resume(thread)
    assert.equal(digest(thread), digest(thread)) -- it has ended
    local keys = {[{}] = 1, [{}] = 2}
    assert.not_equal(digest(keys), digest(keys))
    local a, b = {}, {}
    local known = {a, b, {[a] = 1, [b] = 2}}
    assert.equal(digest(known), digest(known))
  end)

  it("knows of a timer how long it has still to wait, not until when", function()
    local leaves = memories.leaves()
    local function timer(due_us, fn)
      return setmetatable({_due_us = due_us, _fn = fn}, {__name = "jangada.Timer"})
    end
    assert.equal(digest(timer(70, print), leaves, 20), digest(timer(60, print), leaves, 10))
    assert.not_equal(digest(timer(70, print), leaves, 20), digest(timer(70, print), leaves, 10))
    assert.not_equal(digest(timer(70, print), leaves, 20), digest(timer(70, type), leaves, 20))
    assert.not_equal(digest(timer(nil, print), leaves), digest(timer(0, print), leaves))
  end)
end)

describe("an exploration", function()
  -- What is to be seen at the end depends on what cannot be seen before: on a local, on what is
  -- stored, on a timer, on a variable of a handler that was set since, on the node itself.
  it("tells states apart by what a node holds, wherever it holds it", function()
    for _, body in ipairs{
      [[ local last
         node:on("x", function(message)
           last = last or message.body.n
           arrived()
         end)
         node:on("tell", function() node.state = {last = last} end) ]],
      [[ node:on("x", function(message)
           node.db:update(function(tx)
             local b = tx:ensure_bucket("b")
             if not b:get("n") then b:put("n", tostring(message.body.n)) end
           end)
           arrived()
         end)
         node:on("tell", function()
           node.state = {last = node.db:view(function(tx)
             return tx:bucket("b") and tx:bucket("b"):get("n")
           end)}
         end) ]],
      [[ local first
         node:on("x", function(message)
           local n = first
           first = not n and message.body.n or nil
           if n then node:after(0, function() node.state.last = n end) end
         end) ]],
      [[ local is_armed
         node:on("x", function(message)
           arrived()
           if is_armed then return end
           is_armed = true
           node:after(0, function() node.state.last = message.body.n end)
         end)
         node:on("tell", function() end) ]],
      [[ node:on("x", function(message)
           local n = message.body.n
           arrived()
           node:on("tell", function() node.state = {last = n} end)
         end)
         node:on("tell", function() node.state = {last = 0} end) ]],
      [[ node:on("x", function(message)
           node.extra = node.extra or {n = message.body.n}
           arrived()
         end)
         node:on("tell", function() node.state = {last = node.extra and node.extra.n} end) ]],
      [[ node:on("x", function(message)
           seen = seen or message.body.n
           arrived()
         end)
         node:on("tell", function() node.state = {last = seen} end) ]],
      [[ local one, other = {n = 0}
         node:on("x", function(message)
           if not other then other = message.body.n == 1 and one or {n = 0} end
           arrived()
         end)
         node:on("tell", function()
           one.n = 1
           node.state = {last = other.n}
         end) ]],
    } do
      local make = maker([[
        node.state = {}
        local count = 0
        local function arrived()
          count = count + 1
          if count == 2 then node:send("n1", {type = "tell"}) end
        end ]] .. body, {nodes = 1, clients = {function(client)
          for n = 1, 2 do client:send("n1", {type = "x", n = n}) end
        end}})
      local steps = 3
      assert.same(all_ways(make, steps), (seen_by(make, {depth = steps})), body)
    end
  end)

  it("tells states apart by what clients hold", function()
    local make = maker([[
      node.state = {}
      node:on("x", function(message) node:reply(message, {type = "y", n = message.body.n}) end)
      node:on("go", function(message) node:reply(message, {type = "gone"}) end)
      node:on("tell", function(message) node.state.last = message.body.n end)
    ]], {nodes = 1, clients = {function(client)
      local first
      client:on("y", function(message)
        if first then client:send("n1", {type = "go"}) end
        first = first or message.body.n
      end)
      client:on("gone", function() client:send("n1", {type = "tell", n = first}) end)
      for n = 1, 2 do client:send("n1", {type = "x", n = n}) end
    end}})
    assert.same(all_ways(make, 7), (seen_by(make)))
  end)

  it("tells states apart by what invariants remember", function()
    local make = maker([[
      node.state = {n = 0}
      local count = 0
      node:on("x", function(message)
        count = count + 1
        node.state.n = count == 1 and message.body.n or 0
        if count == 2 then node:send("n1", {type = "end"}) end
      end)
      node:on("end", function() node.state.n = 3 end)
    ]], {nodes = 1, clients = {function(client)
      for n = 1, 2 do client:send("n1", {type = "x", n = n}) end
    end}})
    for bad = 1, 2 do
      local found = explore(function()
        local options, first = make(), nil
        options.invariants = {{name = "first", turn = function(_, machine)
          local n = machine.state.n
          if n == 3 and first == bad then return first .. " was first" end
          first = first or n > 0 and n or nil
        end}}
        return options
      end)
      assert.equal(bad .. " was first", found.verdict and found.verdict.message)
      assert.equal(4, #found.path)
    end
  end)
end)
