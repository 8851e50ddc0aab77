-- Several fake nodes and the messages between them, delivered when and as the spec says.
local fakes = require "spec.support.fakes"
local fake_node = require "spec.support.fake_node"
local raft = require "jangada.raft"
local scratch = require "spec.support.scratch"

local cluster = {}

local Cluster = {}
Cluster.__index = Cluster

--- Boots `count` nodes n1, n2, ... whose election timeouts are 100, 200, ... ms, so n1 wins first.
--- They run the Raft of the paper, unless `options` say otherwise.
function cluster.new(count, options, protocol)
  local self = setmetatable({
    fakes = {}, dbs = {}, messages = {}, replies = {}, count = count, cut = {},
    options = fakes.of_the_paper(options), protocol = protocol or raft.protocol,
  }, Cluster)
  for i = 1, count do self.dbs[i] = scratch.open() end
  return self
end

--- Boots a node, or boots it again from its database.
function Cluster:boot(i)
  self.fakes[i] = fake_node.new{
    protocol = self.protocol, id = "n" .. i, cluster = self.count, db = self.dbs[i],
    options = self.options, random = function() return 100 * i end,
  }
  return self.fakes[i]
end

--- Gives a node's log the terms of a drawing, before it boots.
function Cluster:prepare(i, terms, term, commit)
  local Log = require "jangada.log"
  local entries = {}
  for index, its_term in ipairs(terms) do
    entries[index] = { term = its_term, type = 0, data = its_term .. "@" .. index }
  end
  Log.open(self.dbs[i], "replog"):save{ term = term, entries = entries, commit = commit }
end

function Cluster:collect(i)
  for _, sent in ipairs(self.fakes[i]:take()) do
    sent.src = "n" .. i
    self.messages[#self.messages + 1] = sent
  end
end

function Cluster:advance(i, ms)
  for _, sent in ipairs(self.fakes[i]:advance(ms)) do
    sent.src = "n" .. i
    self.messages[#self.messages + 1] = sent
  end
end

--- Gives a node something from a client; what it answers ends up in `replies`.
function Cluster:request(i, body, client)
  self.fakes[i].handlers[body.type]{ src = client or "c1", dest = "n" .. i, body = body }
  self:collect(i)
end

--- Delivers all messages, and those that follow from them. Nodes in `cut` hear and say nothing.
--- `pick(count)` chooses which of the waiting ones is next (default the first); returning nil loses
--- that one, a second value true delivers it and keeps it.
function Cluster:settle(pick)
  local budget = 100000
  while #self.messages > 0 do
    budget = budget - 1
    assert(budget > 0, "the messages do not settle")
    local at, keep = 1, false
    if pick then at, keep = pick(#self.messages) end
    local message = self.messages[at or 1]
    if not keep then table.remove(self.messages, at or 1) end
    local dest = tonumber(message.dest:match("^n(%d+)$"))
    if not dest then
      self.replies[#self.replies + 1] = message
    elseif at and self.fakes[dest] and not self.cut[dest] and not self.cut[tonumber(
        message.src:match("%d+"))] then
      self.fakes[dest].handlers[message.body.type](message)
      self:collect(dest)
    end
  end
end

--- Lets a node stand for election and its messages settle.
function Cluster:elect(i)
  self:advance(i, 100 * i)
  self:settle()
  return self.fakes[i].node.state.role == "leader"
end

function Cluster:state(i) return self.fakes[i].node.state end

--- The terms in a node's log.
function Cluster:terms(i)
  local terms = {}
  for _, entry in require("jangada.log").open(self.dbs[i], "replog"):each() do
    terms[#terms + 1] = entry.term
  end
  return terms
end

return cluster
