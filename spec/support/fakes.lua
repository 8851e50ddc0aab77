-- Fake nodes that run Raft, and the messages of Raft, for the specs of its sections.
local Log = require "jangada.log"
local command = require "jangada.raft.command"
local fake_node = require "spec.support.fake_node"
local raft = require "jangada.raft"
local scratch = require "spec.support.scratch"

local fakes = {}

--- Options of the Raft of the paper, which does without what the dissertation adds to elections:
--- who times out stands, and every candidate is listened to.
function fakes.of_the_paper(options)
  local all = { pre_vote = false, check_quorum = false }
  for name, value in pairs(options or {}) do all[name] = value end
  return all
end

--- A node that runs the Raft of the paper, with a store of its own, unless `config` says otherwise.
function fakes.boot(config)
  config = config or {}
  config.options = fakes.of_the_paper(config.options)
  config.protocol = config.protocol or raft.protocol
  config.db = config.db or scratch.open()
  return fake_node.new(config)
end

--- Entries of these terms.
function fakes.entries_of(...)
  local entries = {}
  for i, term in ipairs{ ... } do
    entries[i] = { term = term, type = command.NO_OP, data = "t" .. term .. "#" .. i }
  end
  return entries
end

--- Messages, as nodes and clients send them.
function fakes.append(term, prev_index, prev_term, entries, commit)
  return { type = "append_entries", term = term, prev_index = prev_index, prev_term = prev_term,
    entries = entries or {}, commit = commit or 0 }
end

function fakes.ok(term, prev_index, match)
  return { type = "append_entries_ok", term = term, success = true, prev_index = prev_index,
    match = match }
end

function fakes.submit(number, ...)
  return { type = "submit", client = "c1", number = number, commands = { ... } }
end

--- The terms of the entries of a log.
function fakes.terms_of(db)
  local terms = {}
  for _, entry in Log.open(db, "replog"):each() do terms[#terms + 1] = entry.term end
  return terms
end

--- A follower with a log of these terms, in the last of them.
function fakes.follower(terms, commit)
  local db, entries = scratch.open(), fakes.entries_of(table.unpack(terms))
  Log.open(db, "replog"):save{ term = terms[#terms], entries = entries, commit = commit }
  return fakes.boot{ db = db }, db
end

--- A leader of a cluster, its no-op on its way.
function fakes.leader(config)
  config = config or {}
  config.db = config.db or scratch.open()
  local fake = fakes.boot(config)
  fake:advance(225)
  local sent = {}
  for i = 2, (config.cluster or 3) // 2 + 1 do
    sent = fake:deliver("n" .. i,
      { type = "request_vote_ok", term = fake.node.state.term, granted = true })
  end
  assert(fake.node.state.role == "leader")
  return fake, config.db, sent
end

--- The first message to a node.
function fakes.to(sent, dest)
  for _, message in ipairs(sent) do
    if message.dest == dest then return message.body end
  end
end

return fakes
