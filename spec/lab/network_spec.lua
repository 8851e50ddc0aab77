local labs = require "spec.support.labs"
local networks = require "jangada.lab.network"
local oracles = require "jangada.lab.oracle"

local function network(options, seed)
  return networks.new(oracles.new(seed or 1), options or {})
end

describe("the network", function()
  it("delays every message between its two bounds", function()
    local net, low, high = network{delay_ms = {2, 3.5}}, math.huge, 0
    for _ = 1, 5000 do
      local delay = net:fate("n1", "n2")
      low, high = math.min(low, delay), math.max(high, delay)
    end
    assert.is_true(low >= 2000 and low < 2050 and high <= 3500 and high > 3450)
  end)

  it("loses the share of messages that it says", function()
    local net, lost = network{loss = 0.3}, 0
    for _ = 1, 10000 do
      local delay, why = net:fate("n1", "n2")
      if not delay then
        assert.equal("lost", why)
        lost = lost + 1
      end
    end
    assert.is_true(math.abs(lost - 3000) < 300, lost)
  end)

  it("gives the messages that are not lost the delays they have without loss", function()
    local sure, lossy = network{}, network{loss = 0.5}
    for i = 1, 200 do
      if i == 100 then lossy:set_rate("loss", 0.9) end
      local delay = lossy:fate("n1", "n2")
      local expected = sure:fate("n1", "n2")
      if delay then assert.equal(expected, delay) end
      lossy:fate("n2", "n1") -- another link, of no influence
    end
  end)

  it("loses the same messages whenever the losses began", function()
    local early, late = network{loss = 0.5}, network{}
    for i = 1, 200 do
      if i == 50 then late:set_rate("loss", 0.5) end
      local expected, actual = early:fate("n1", "n2"), late:fate("n1", "n2")
      if i >= 50 then assert.equal(expected, actual) end
    end
  end)

  it("doubles and damages the same messages whenever that began", function()
    for _, name in ipairs{"duplication", "corruption"} do
      local early, late = network{[name] = 0.5}, network{}
      for i = 1, 200 do
        if i == 50 then late:set_rate(name, 0.5) end
        local expected = {early:fate("n1", "n2", 0)}
        local actual = {late:fate("n1", "n2", 0)}
        if i >= 50 then assert.same(expected, actual) end
      end
    end
  end)

  it("takes what a node sends to itself at once and surely", function()
    local net = network{loss = 1, delay_ms = {50, 50}}
    assert.equal(1, net:fate("n1", "n1"))
    net:partition({{"n1"}}, {"n1", "n2"})
    assert.equal(1, net:fate("n1", "n1"))
  end)

  it("separates groups both ways, and joins them again", function()
    local net = network()
    local ids = {"n1", "n2", "n3", "n4"}
    net:partition({{"n1", "n2"}, {"n3"}}, ids)
    local function cut(a, b)
      local there, back = select(2, net:fate(a, b)), select(2, net:fate(b, a))
      assert.equal(there, back)
      assert.equal(there == "cut", net:is_cut(a, b))
      return there == "cut"
    end
    assert.is_false(cut("n1", "n2"))
    assert.is_true(cut("n1", "n3"))
    assert.is_true(cut("n2", "n4"))
    assert.is_true(cut("n3", "n4"))
    assert.is_false(cut("c1", "n1"))
    assert.is_false(cut("c1", "n3"))
    net:heal()
    assert.is_false(cut("n1", "n3"))
  end)

  it("separates a client that is named in a group", function()
    local net = network()
    net:partition({{"n1", "c1"}}, {"n1", "n2"})
    assert.is_false(net:is_cut("c1", "n1"))
    assert.is_true(net:is_cut("c1", "n2"))
    assert.is_false(net:is_cut("c2", "n2"))
  end)

  it("goes back to what it was made with", function()
    local net = network{delay_ms = {1, 2}, loss = 0.1}
    net:set_rate("loss", 1)
    net:set_delay{50, 60}
    assert.is_nil((net:fate("n1", "n2")))
    net:set_rate("loss", 0)
    assert.is_true(net:fate("n1", "n2") >= 50000)
    net:set_rate("loss", nil)
    net:set_delay(nil)
    assert.equal(0.1, net.loss)
    local delay
    repeat delay = net:fate("n1", "n2") until delay
    assert.is_true(delay <= 2000)
  end)

  it("refuses rates, delays and groups that make no sense", function()
    for _, options in ipairs{{loss = 1.5}, {loss = -1}, {loss = "x"}, {loss = 0 / 0},
      {delay_ms = {2, 1}}, {delay_ms = {-1, 1}}, {delay_ms = {}}, {delay_ms = {1, math.huge}}} do
      assert.equal("option_invalid", (labs.code_of(network, options)))
    end
    local net = network()
    assert.equal("option_invalid", (labs.code_of(net.partition, net, {{"n1"}, {"n1"}}, {})))
  end)
end)
