local capture = require "jangada.lab.shrink.capture"
local lab = require "jangada.lab"

local function run(network)
  local taken = capture.new()
  local world <close> = lab.new{seed = 3, nodes = 3, network = network,
    protocol = "spec/support/protocols/ping.lua",
    observe = function(event, world) taken:observe(event, world) end}
  world:run(300)
  return taken, world
end

-- The fates of messages that have arrived or are lost for good.
local function count(fates, copies)
  local n = 0
  for _, fate in ipairs(fates) do
    if #fate.delays_us == copies then n = n + 1 end
  end
  return n
end

describe("a capture", function()
  it("has the fate of each message, numbered by its link, with the time that it took", function()
    local taken, world = run{delay_ms = {"constant", 4}}
    assert.equal(world.sent, #taken.fates)
    assert.equal(world.delivered, count(taken.fates, 1))
    local numbers = {}
    for _, fate in ipairs(taken.fates) do
      local link = fate.from .. fate.to
      numbers[link] = (numbers[link] or 0) + 1
      assert.equal(numbers[link], fate.number)
      for _, delay_us in ipairs(fate.delays_us) do assert.equal(4000, delay_us) end
    end
  end)

  it("has no time of a message that was lost", function()
    local taken, world = run{delay_ms = {"constant", 1}, loss = 1}
    assert.is_true(world.sent > 0)
    assert.equal(world.sent, count(taken.fates, 0))
  end)

  it("makes a list of fates a network, and a network a list", function()
    local fates = {
      {from = "n1", to = "n2", number = 1, delays_us = {}},
      {from = "n2", to = "n1", number = 1, delays_us = {1500}},
      {from = "n1", to = "n2", number = 2, delays_us = {2500, 7000}},
    }
    local network = capture.network(9, fates)
    assert.same({"constant", 9}, network.delay_ms)
    assert.is_nil(network.loss)
    assert.same({{from = "n1", to = "n2", lost = {1}, delay_ms = {[2] = {2.5, 7.0}}},
      {from = "n2", to = "n1", delay_ms = {[1] = 1.5}}}, network.fates)
    assert.same(fates, capture.fate_list(network))
  end)

  it("says nothing of messages that fare as the others", function()
    local usual = {from = "n1", to = "n2", number = 1, delays_us = {9000}}
    local lost = {from = "n1", to = "n2", number = 2, delays_us = {}}
    assert.same({{from = "n1", to = "n2", lost = {2}}}, capture.network(9, {usual, lost}).fates)
    local lossy = capture.network(9, {usual, lost}, true)
    assert.equal(1, lossy.loss)
    assert.same({{from = "n1", to = "n2", arrive = {1}}}, lossy.fates)
    assert.is_nil(capture.network(9, {usual}).fates)
  end)

  it("makes a list of draws an option of a world, and back", function()
    local draws = {{id = "n1", number = 1, way = 5}, {id = "n2", number = 1, way = 0},
      {id = "n1", number = 2, way = 3}}
    local option = capture.draws(draws, 0.5)
    assert.same({usual = 0.5, n1 = {5, 3}, n2 = {0}}, option)
    assert.same(draws, capture.draw_list(option))
    assert.same({}, capture.draw_list(nil))
  end)
end)
