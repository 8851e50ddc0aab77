local command = require "spec.support.lab_command"

-- A node that counts the pings of clients; five are too many.
local COUNTING <const> = [==[
  local lab = require "jangada.lab"
  return {
    nodes = 3, seed = 4, duration_ms = 1000, clients = {%s},
    faults = {duration_ms = 1000, kinds = {"crash", "loss"}, gap_ms = {20, 100}},
    protocol = {name = "counting", source = [=[return function(node)
      node.state = {count = 0}
      node:on("submit", function(message)
        node.state.count = node.state.count + 1
        if node.state.count == 5 then error("too many") end
        node:reply(message, {type = "submit_ok"})
      end)
    end]=]},
  }
]==]

local STREAM <const> = [[lab.stream{commands = {"a", "b", "c", "d", "e", "f", "g", "h"},
  batch_max = 1, timeout_ms = 20}]]
local FUNCTION <const> = [[function(client)
  local function ask() client:request("n1", {type = "submit"}, 20, ask) end
  ask()
end]]

local function shrink(client, ...)
  local path, directory = command.scenario(COUNTING:format(client))
  local output = command.must(0, {"shrink", path, "--time", "20", "--output", directory .. "/s.lua",
    ...})
  return output, command.read(directory .. "/s.lua"), directory .. "/s.lua", path
end

describe("jangada lab shrink #big", function()
  it("writes a scenario that needs no other and fails in the same way", function()
    local output, text, path = shrink(STREAM)
    assert.matches("\nnow     1 node, %d+ ms, 0 faults, 5 requests, ", output)
    assert.matches('commands = { "a", "b", "c", "d", "e" }', text, 1, true)
    assert.is_nil(text:find("from =", 1, true))
    assert.matches("gets submit from c1 %(client c1, commands of 1, number 5%)", text)
    local again = command.must(1, {"run", path, "--quiet", "--prove"})
    assert.matches("VERDICT handler_error at ", again, 1, true)
    assert.matches("second process: the same run", again, 1, true)
  end)

  it("writes what is other than in a scenario whose clients are functions", function()
    local output, text, path, scenario = shrink(FUNCTION)
    assert.matches(path .. ", which needs " .. scenario, output, 1, true)
    assert.matches(("from = { scenario = %q, seed = 4 }"):format(scenario), text, 1, true)
    assert.matches("requests_max = 5", text, 1, true)
    assert.matches("VERDICT handler_error at ", command.must(1, {"run", path, "--quiet"}), 1, true)
  end)

  it("takes the first violation of a campaign", function()
    local path, directory = command.scenario(command.ticking("if drawn < 10 then error('x') end"))
    local results = directory .. "/r.jsonl"
    local _, told = command.run{"campaign", path, "--seeds", "1-60", "--json", results}
    command.must(0, {"shrink", results, "--output", directory .. "/s.lua"})
    assert.matches(("seed %s, which fails"):format(told:match("%d seeds?: (%d+)")),
      command.read(directory .. "/s.lua"), 1, true)
  end)

  it("says what it cannot make smaller", function()
    local path, directory = command.scenario(command.ticking(""))
    local _, messages = command.must(2, {"shrink", path, "--output", directory .. "/s.lua"})
    assert.matches("nothing is wrong with seed 1", messages, 1, true)
    local results = directory .. "/r.jsonl"
    command.must(0, {"campaign", path, "--seeds", "1-3", "--json", results})
    _, messages = command.must(2, {"shrink", results})
    assert.matches("no seed in it violates anything", messages, 1, true)
    assert.is_nil(io.open(directory .. "/s.lua"))
  end)
end)

describe("jangada lab run --save #big", function()
  it("writes a run with its plan, which is the same run", function()
    local path, directory = command.scenario(COUNTING:format(STREAM))
    local saved = directory .. "/saved.lua"
    local hash = command.must(1, {"run", path, "--seed", "7", "--quiet", "--save", saved})
      :match("trace hash (%x+)")
    assert.matches('kind = "crash"', command.read(saved), 1, true)
    assert.equal(hash, command.must(1, {"run", saved, "--quiet"}):match("trace hash (%x+)"))
  end)
end)
