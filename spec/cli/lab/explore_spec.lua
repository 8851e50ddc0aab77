-- `jangada lab explore`, as a user has it.
local command = require "spec.support.lab_command"
local process = require "spec.support.process"

local must = command.must

-- Two nodes count what they are told; n2 is wrong about `limit`.
local function counting(limit, rest)
  return ([=[
    local function ask(client)
      for _ = 1, 2 do client:send("n1", {type = "add"}) end
      client:send("n2", {type = "add"})
    end
    return {nodes = 2, clients = {ask}, %s
      invariants = {function(_, machine)
        if machine.state.n > %d then return "it counts to " .. machine.state.n end
      end},
      protocol = {name = "counter", source = [==[
        return function(node)
          node.state = {n = 0}
          node:on("add", function() node.state.n = node.state.n + 1 end)
          node:after(5, function() node.state.n = node.state.n + 1 end)
        end
      ]==]}}]=]):format(rest or "", limit)
end

describe("jangada lab explore #big", function()
  after_each(process.clean)

  it("tells how many states there are", function()
    local path = command.scenario(counting(9, "explore = {timeouts = 1},"))
    local output = must(0, {"explore", path})
    assert.matches("up to 1 timeouts, 0 crashes", output, 1, true)
    -- n1 at 0 to 2, n2 at 0 or 1, a timer of neither, n1 or n2
    assert.matches("18 states in", output, 1, true)
    assert.matches("exhausted, no violation", output, 1, true)
    local without = must(0, {"explore", path, "--no-sleep"})
    assert.matches("18 states in %d+ steps, 0 more", without)
    assert.matches("6 states in", must(0, {"explore", path, "--timeouts", "0"}), 1, true)
  end)

  it("shows a violation step by step, and keeps it for replay", function()
    local path, directory = command.scenario(counting(2))
    local trace = directory .. "/found.jsonl"
    local output = must(1, {"explore", path, "--trace", trace})
    assert.matches("1  deliver   c1>n1 add\n", output, 1, true)
    assert.matches("3  timeout   n1\n\n", output, 1, true)
    assert.matches("it counts to 3", output, 1, true)
    local again = must(0, {"replay", trace})
    assert.matches("the same run", again, 1, true)
    local objects = command.objects(trace)
    assert.equal(4, #objects[1].path)
    assert.equal("it counts to 3", objects[#objects].verdict.message)
    process.write(path, counting(3))
    assert.matches("NOT the same run", must(1, {"replay", trace}), 1, true)
    process.write(path, (counting(2):gsub("client:send%b()", "")))
    local code, _, messages = command.run{"replay", trace}
    assert.equal(3, code)
    assert.matches("the path cannot be gone again", messages, 1, true)
  end)

  it("says so when there is more", function()
    local path = command.scenario(counting(9))
    assert.matches("NOT exhausted", must(2, {"explore", path, "--states", "5"}), 1, true)
  end)

  it("says what is wrong with bounds and scenarios", function()
    local path = command.scenario(counting(9, "explore = {timeout = 1},"))
    local _, messages = must(2, {"explore", path})
    assert.matches("an exploration has no bound timeout", messages, 1, true)
    _, messages = must(2, {"explore", path, "--crashes", "many"})
    assert.matches("--crashes takes an integer", messages, 1, true)
    process.write(path, "return {nodes = 0}")
    _, messages = must(2, {"explore", path})
    assert.matches("nodes of lab.new is an integer from 1 to 64", messages, 1, true)
  end)
end)
