local lab = require "jangada.lab"
local labs = require "spec.support.labs"
local oracles = require "jangada.lab.oracle"

local function draw(stream, count, n)
  local answers = {}
  for i = 1, count do answers[i] = stream:choose(n) end
  return answers
end

describe("the oracle", function()
  it("answers the same for the same seed, stream and place", function()
    local a, b = oracles.new(7), oracles.new(7)
    assert.same(draw(a:stream("x"), 50, 1000), draw(b:stream("x"), 50, 1000))
    assert.equal(a:choose(1000, "x"), b:choose(1000, "x"))
  end)

  it("answers otherwise for another seed or stream", function()
    local a = oracles.new(7)
    assert.not_same(draw(a:stream("x"), 20, 1000), draw(a:stream("y"), 20, 1000))
    assert.not_same(draw(oracles.new(7):stream("x"), 20, 1000),
      draw(oracles.new(8):stream("x"), 20, 1000))
  end)

  it("keeps each stream as it is whatever the others are asked", function()
    local quiet, busy = oracles.new(3), oracles.new(3)
    local answers = {}
    for i = 1, 20 do
      draw(busy:stream("other"), i, 10)
      answers[i] = busy:stream("x"):choose(100)
    end
    assert.same(draw(quiet:stream("x"), 20, 100), answers)
  end)

  -- 30,000 draws of 10 ways: each way 3000 times, with a deviation of 52. Six of these are never
  -- met.
  it("chooses evenly", function()
    local stream, counts = oracles.new(1):stream("even"), {}
    for _ = 1, 30000 do
      local way = stream:choose(10)
      counts[way] = (counts[way] or 0) + 1
    end
    for way = 0, 9 do assert.is_true(math.abs(counts[way] - 3000) < 312, counts[way]) end
  end)

  it("is right about chances, ranges and scales", function()
    local stream = oracles.new(2):stream("x")
    local hits, low, high, small = 0, math.huge, -math.huge, 0
    for _ = 1, 10000 do
      if stream:chance(0.25) then hits = hits + 1 end
      assert.is_false(stream:chance(0))
      assert.is_true(stream:chance(1))
      local x = stream:between(-3, 3)
      low, high = math.min(low, x), math.max(high, x)
      local y = stream:logarithmic(1, 100)
      assert.is_true(y >= 1 and y <= 100.0001)
      if y < 10 then small = small + 1 end
    end
    assert.is_true(math.abs(hits - 2500) < 300)
    assert.same({-3, 3}, {low, high})
    assert.is_true(math.abs(small - 5000) < 300)
  end)
end)

-- A world in which every kind of decision is taken: delays by a law and without, losses, copies,
-- faults, a node's chance, fault points, a client's.
local function busy_world(choose)
  return labs.world([[
    node:every(7, function()
      if node:maybe("rare") then node:reached("rare") end
      node:broadcast{type = "hello", x = node:random(1, 100), y = node:random()}
    end)
    node:on("hello", function() end)
  ]], {
    nodes = 3, seed = 5, choose = choose, maybe_rate = 0.2, faults = {duration_ms = 400},
    network = {delay_ms = {1, 20}, loss = 0.1, duplication = 0.1},
    clients = {function(client)
      client:after(client.chance:between(1, 9), function() client:send("n1", {type = "hello"}) end)
    end},
  })
end

local function hash_of(choose)
  local world <close> = busy_world(choose)
  world:run(300)
  world:slow(1, 2, {"exponential", 1, 9})
  world:run(100)
  return world:hash()
end

describe("who decides instead of the seed", function()
  it("may leave it to the seed: the run is the same", function()
    assert.equal(hash_of(nil), hash_of(function(_, _, random) return random() end))
  end)

  it("can write decisions down, and repeat them under another seed's luck", function()
    local record = {}
    local hash = hash_of(lab.recorder(record))
    assert.is_true(#record > 300)
    local function no_more() error("the record was too short") end
    assert.equal(hash, hash_of(lab.replay(record, no_more)))
    local tags = {}
    for _, decision in ipairs(record) do
      tags[decision.tag:match("^%a+")] = true
      assert.is_true(decision.n > 1 and decision.way >= 0 and decision.way < decision.n)
    end
    for _, tag in ipairs{"delay", "loss", "duplication", "faults", "node", "maybe", "client"} do
      assert.is_true(tags[tag], tag)
    end
  end)

  it("is asked by the name of the stream, and only where there is something to decide", function()
    local asked = {}
    local oracle = oracles.new(1, function(n, tag)
      asked[#asked + 1] = n .. " " .. tag
      return n - 1
    end)
    local stream = oracle:stream("x")
    assert.equal(4, stream:choose(5))
    assert.equal(0, stream:choose(1))
    assert.equal(9, stream:between(7, 9))
    assert.equal(100, stream:logarithmic(1, 100))
    assert.is_true(stream:chance(0.001))
    assert.is_true(stream:chance(1))
    assert.is_false(stream:chance(0))
    assert.equal(2, oracle:choose(3, "y"))
    assert.same({"5 x", "3 x", "1048576 x", "2 x", "3 y"}, asked)
  end)

  it("cannot name a way that there is not", function()
    for _, way in ipairs{-1, 3, 1.5, "1"} do
      local oracle = oracles.new(1, function() return way end)
      local code, message = labs.code_of(oracle.choose, oracle, 3, "where to")
      assert.equal("choice_invalid", code)
      assert.truthy(message:find("where to: one of 3 ways", 1, true))
    end
    local oracle = oracles.new(1, function() end)
    assert.equal("choice_invalid", (labs.code_of(oracle.choose, oracle, 3, "x")))
  end)

  it("is told when a record is of other decisions, and goes on behind its end", function()
    local record = {{n = 3, tag = "x", way = 2}}
    local oracle = oracles.new(1, oracles.replay(record, function() return 1 end))
    assert.equal(2, oracle:choose(3, "x"))
    assert.equal(1, oracle:choose(3, "x"))
    for _, other in ipairs{{4, "x"}, {3, "y"}} do
      oracle = oracles.new(1, oracles.replay(record))
      assert.equal("record_differs", (labs.code_of(oracle.choose, oracle, table.unpack(other))))
    end
    assert.equal(oracles.new(9):choose(50, "z"), oracles.new(9, oracles.replay{}):choose(50, "z"))
  end)
end)

describe("an enumeration", function()
  it("takes every path once, also where one decision makes others", function()
    local enumeration, paths = oracles.enumeration(), {}
    repeat
      local oracle = oracles.new(1, enumeration.choose)
      local first = oracle:choose(3, "first")
      local path = {first}
      for i = 1, first do path[i + 1] = oracle:choose(2, "more") end
      paths[#paths + 1] = table.concat(path)
    until not enumeration:next()
    assert.same({"0", "10", "11", "200", "201", "210", "211"}, paths)
    assert.is_false(enumeration:next())
  end)

  it("takes every way of a world", function()
    local enumeration, sums, runs = lab.enumeration(), {}, 0
    repeat
      local world <close> = labs.world([[
        node.state = {sum = 0}
        node:after(1, function() node.state.sum = node:random(1, 6) + node:random(1, 6) end)
      ]], {choose = enumeration.choose})
      world:run(1)
      local sum = world.nodes[1].state.sum
      sums[sum], runs = (sums[sum] or 0) + 1, runs + 1
    until not enumeration:next()
    assert.equal(36, runs)
    for sum = 2, 12 do assert.equal(6 - math.abs(7 - sum), sums[sum]) end
  end)

  it("notices a run that is not the same again", function()
    local enumeration = oracles.enumeration()
    oracles.new(1, enumeration.choose):choose(2, "x")
    assert.is_true(enumeration:next())
    local oracle = oracles.new(1, enumeration.choose)
    assert.equal("record_differs", (labs.code_of(oracle.choose, oracle, 2, "y")))
  end)
end)
