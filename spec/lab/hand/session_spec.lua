local by_hand = require "spec.support.by_hand"
local db_command = require "spec.support.db_command"
local errors = require "jangada.errors"
local process = require "spec.support.process"
local scenarios = require "jangada.lab.scenario"
local sessions = require "jangada.lab.hand.session"

local function session_of(text, seed)
  local told = {}
  local session = sessions.new(by_hand.scenario(text), seed, function(event)
    if event.kind == "step" then told[#told + 1] = event.text end
  end)
  return session, told
end

local function refused(session, method, ...)
  local ok, failure = pcall(session[method], session, ...)
  assert(not ok and errors.is(failure, "input_invalid"), tostring(failure))
  return failure.message
end

describe("a scenario by hand", function()
  it("goes back to the very world that was before", function()
    local session, told = session_of(by_hand.RAFT)
    local _session <close> = session
    local hashes = {}
    local lines = { "within 1s leader", "name boss leader", "clog boss > *", "start boss x",
      "run 20ms", "crash boss", "deliver 1", "run 1s" }
    for i, line in ipairs(lines) do
      hashes[i] = session.world:hash()
      assert.is_true(session:perform(line))
    end
    assert.same(lines, told)
    for i = #lines, 1, -1 do
      session:back(1)
      assert.equal(hashes[i], session.world:hash())
      assert.equal(i - 1, #session.steps)
    end
    assert.same(lines, told) -- what was done again is told to nobody
    for _, line in ipairs(lines) do session:perform(line) end
    session:back(#lines - 1)
    assert.equal(hashes[2], session.world:hash())
    assert.matches("there are 1 steps to take back, not 2", refused(session, "back", 2))
    assert.matches("not 0", refused(session, "back", 0))
  end)

  it("goes back behind a verdict", function()
    local session = session_of(by_hand.RAFT)
    local _session <close> = session
    session:perform("expect leader")
    assert.equal("expectation_failed", session.world.verdict.kind)
    assert.matches("the run has ended", refused(session, "perform", "run 1s"))
    session:back(1)
    assert.is_nil(session.world.verdict)
    session:perform("run 1s")
  end)

  it("keeps what does something, not what only looks", function()
    local session = session_of(by_hand.RAFT)
    local _session <close> = session
    for _, line in ipairs{ "run 1s", "state", "messages", "", "# nothing", "expect leader" } do
      session:perform(line)
    end
    assert.equal(2, #session.steps)
  end)

  it("is as it was when a line is wrong, or cannot be done", function()
    local session = session_of(by_hand.RAFT)
    local _session <close> = session
    session:perform("run 1s")
    local hash = session.world:hash()
    assert.matches("is it crash", refused(session, "perform", "crush 1"))
    assert.matches("no node c1", refused(session, "perform", "crash 2 c1"))
    assert.equal(hash, session.world:hash())
    assert.is_true(session.world.nodes[2].up)
    assert.equal(1, #session.steps)
  end)

  it("is written as a text that does the same", function()
    local session = session_of("# A title.\n" .. by_hand.RAFT .. "\nrun 1s\n", 5)
    local _session <close> = session
    session:perform('submit "two words" x   # said so')
    session:perform("crash leader")
    local text = session:text()
    assert.equal("# A title.\n" .. by_hand.RAFT .. "seed 5\n\nrun 1s\n"
      .. 'submit "two words" x   # said so\ncrash leader\n', text)
    local again = session_of(text)
    local _again <close> = again
    assert.equal(session.world:hash(), again.world:hash())
    local third = session_of(text, 6)
    local _third <close> = third
    assert.matches("\nseed 6\n", third:text())
    assert.not_matches("seed 5", third:text())
  end)

  it("goes on from a scenario in Lua", function()
    local session = sessions.new(scenarios.load("examples/raft_swarm.lua"), 3, function() end)
    local _session <close> = session
    session:perform("run 500ms")
    local path = process.directory() .. "/b.scenario"
    process.write(path, session:text())
    assert.equal("scenario examples/raft_swarm.lua\nseed 3\n\nrun 500ms\n", db_command.read(path))
    local again = sessions.new(scenarios.load(path), nil, function() end)
    local _again <close> = again
    assert.equal(session.world:hash(), again.world:hash())
  end)
end)
