local cjson = require "cjson"
local command = require "spec.support.lab_command"
local tla = require "jangada.cli.lab.tla"

local RAFT <const> = "examples/raft_scenario.lua"

local function actions_of(path)
  local actions = {}
  for line in io.lines(path) do
    local object = cjson.decode(line)
    assert.equal("trace", object.tag)
    actions[#actions + 1] = object.event
  end
  return actions
end

local function recorded(seed)
  local path = ("%s/%d.tla"):format(command.directory(), seed)
  command.must(0, {"run", RAFT, "--quiet", "--duration", "3000", "--seed", tostring(seed), "--tla",
    path})
  return actions_of(path)
end

-- A message as both of its ends have it.
local function identity(message)
  local m = message
  return ("%s %d %s %s %d %d %d %d %s %d"):format(m.type, m.term, m.from, m.to, m.entries,
    m.logTerm, m.index, m.commit, m.reject, m.rejectHint)
end

describe("jangada lab run --tla", function()
  it("writes actions of Raft, each with the node's state", function()
    local seen = {}
    for _, action in ipairs(recorded(4)) do
      seen[action.name] = true
      assert.matches("^[1-5]$", action.nid)
      assert.same({{"1", "2", "3", "4", "5"}, {}}, action.conf)
      assert.matches("^State%u%l+", action.role)
      assert.is_true(action.state.commit <= action.log)
      assert.equal(action.name:find("^Send") or action.name:find("^Receive"), action.msg and 1)
    end
    for _, name in ipairs{"InitState", "BecomeFollower", "BecomeCandidate", "BecomeLeader",
      "Replicate", "Commit", "Ready"} do
      assert.is_true(seen[name], name)
    end
    for _, message in ipairs{"RequestVoteRequest", "RequestVoteResponse", "AppendEntriesRequest",
      "AppendEntriesResponse"} do
      assert.is_true(seen["Send" .. message], message)
      assert.is_true(seen["Receive" .. message], message)
    end
  end)

  it("has them in an order that Raft allows", function()
    for seed = 1, 3 do
      local terms, sent, votes = {}, {}, {}
      for i, action in ipairs(recorded(seed)) do
        local id, term, message = action.nid, action.state.term, action.msg
        local what = ("seed %d, action %d, %s"):format(seed, i, action.name)
        assert.is_true(term >= (terms[id] or 0), what)
        terms[id] = term
        if action.name:find("^Send") then
          sent[identity(message)] = true
          assert.equal(id, message.from, what)
          assert.is_true(message.term <= term, what)
        elseif message then
          assert.is_true(sent[identity(message)], what)
          assert.equal(id, message.to, what)
        end
        if action.name == "BecomeCandidate" then votes[id] = {[id] = true} end
        if action.name == "ReceiveRequestVoteResponse" and not message.reject
          and message.term == term and votes[id] then
          votes[id][message.from] = true
        end
        if action.name == "BecomeLeader" then
          local count = 0
          for _ in pairs(votes[id]) do count = count + 1 end
          assert.is_true(count >= 3, what)
        end
      end
    end
  end)

  it("has a snapshot once, when its last piece is sent", function()
    local path = command.directory() .. "/snapshot.tla"
    local state = {role = "leader", term = 3, vote = "n1", commit = 9, last = 9}
    local world = {nodes = {1, 2}, endpoints = {n1 = {index = 1}, n2 = {index = 2}}}
    do
      local file <close> = tla.create(path)
      file:observe({kind = "boot", node = "n1"}, world)
      file:observe({kind = "state", node = "n1", state = state}, world)
      for _, is_done in ipairs{false, true} do
        file:observe({kind = "send", src = "n1", dest = "n2", body = {type = "install_snapshot",
          term = 3, last_index = 8, last_term = 2, done = is_done}}, world)
      end
      file:finish()
    end
    local actions = actions_of(path)
    assert.same({"InitState", "SendSnapshot"}, {actions[1].name, actions[2].name})
    assert.equal(2, #actions)
    assert.equal("MsgSnap 3 1 2 0 2 8 0 false 0", identity(actions[2].msg))
  end)

  it("is of protocols that keep their state as Raft does", function()
    local path = command.directory() .. "/lock.tla"
    local _, messages = command.must(2, {"run", "examples/lock_scenario.lua", "--quiet", "--tla",
      path})
    assert.matches("%-%-tla is of protocols that keep role, term", messages)
  end)

  it("needs a file that can be written", function()
    local _, messages = command.must(2, {"run", RAFT, "--tla", command.directory() .. "/no/file"})
    assert.matches("No such file or directory", messages, 1, true)
  end)
end)
