local fates = require "jangada.lab.fates"
local lab = require "jangada.lab"
local labs = require "spec.support.labs"

-- When n2 gets the numbers 1 to 4 of n1, which leave at 1 ms: {number, ms} in order.
local function arrivals(network, faults)
  local list = {}
  local world <close> = lab.new{nodes = 2, network = network, faults = faults, invariants = {},
    protocol = {name = "four", source = [[return function(node)
      node.state = {}
      node:on("number", function() end)
      if node.id == "n1" then
        node:after(1, function()
          for n = 1, 4 do node:send("n2", {type = "number", n = n}) end
        end)
      end
    end]]},
    observe = function(event)
      if event.kind == "deliver" then
        list[#list + 1] = {event.body.n, event.time_us / 1000 - 1}
      end
    end}
  assert.is_nil(world:run(200))
  return list
end

describe("fates of single messages", function()
  it("lose one, delay one, bring one twice, and leave the others", function()
    assert.same({{1, 5.0}, {4, 7.0}, {3, 35.25}, {4, 80.0}}, arrivals{delay_ms = {"constant", 5},
      fates = {{from = "n1", to = "n2", lost = {2}, delay_ms = {[3] = 35.25, [4] = {7, 80}}}}})
  end)

  it("let one arrive where all others are lost", function()
    assert.same({{1, 5.0}, {3, 5.0}}, arrivals{delay_ms = {"constant", 5}, loss = 1,
      fates = {{from = "n1", to = "n2", arrive = {1, 3}}}})
  end)

  it("bring nothing through a cut", function()
    assert.same({}, arrivals({fates = {{from = "n1", to = "n2", delay_ms = {9, 9, 9, 9}}}},
      {{at_ms = 0, kind = "isolate", node = "n1"}}))
  end)

  it("leave what they do not name as it was", function()
    local network = {delay_ms = {1, 50}, fates = {{from = "n1", to = "n2", lost = {2}}}}
    local some = arrivals(network)
    network.fates = nil
    local all = {}
    for _, arrival in ipairs(arrivals(network)) do
      if arrival[1] ~= 2 then all[#all + 1] = arrival end
    end
    assert.same(all, some)
    assert.equal(3, #some)
  end)

  it("are refused where they are none", function()
    for _, entry in ipairs{
      {from = "n1"}, {from = "n1", to = "n2", lost = 3}, {from = "n1", to = "n2", lost = {0}},
      {from = "n1", to = "n2", lost = {1}, arrive = {1}}, {from = "n1", to = "n2", delay_ms = {-1}},
      {from = "n1", to = "n2", delay_ms = {{1, 2, 3}}}, {from = "n1", to = "n2", delay_ms = {0/0}},
      7,
    } do
      assert.equal("option_invalid", (labs.code_of(fates.read, {entry})))
    end
    assert.equal("option_invalid", (labs.code_of(fates.read, "all")))
    assert.equal("option_unknown", (labs.code_of(fates.read, {{from = "a", to = "b", late = 1}})))
  end)
end)
