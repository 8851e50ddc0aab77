--- The reference Raft: a protocol like any user's, over the log.
--
-- It is the algorithm of the extended Raft paper (Ongaro and Ousterhout): leader election, log
-- replication, client sessions, persistence. It touches a node and its log, and nothing else. To
-- read it, begin with raft/rules.lua, which decides, then election, replication, commitment and
-- submit, which act, each named after its part of the paper.
--
--     local raft = require "jangada.raft"
--     raft.protocol                          a protocol: function(node, options)
--     raft.with{ may_vote_for = function() return true end }       another, with one rule replaced
--
-- Options: `election_timeout_ms` {150, 300}, `heartbeat_ms` 50, `pre_vote` true (a server asks
-- whether it would be elected before it raises its term), `check_quorum` true (a leader that hears
-- from no majority gives up, and whoever hears from a leader elects no other), `batch_bytes_max`
-- 65536 (data in one message; a single larger entry still goes), `inflight_max` 16 (messages with
-- entries on their way to a peer that keeps up), `uncommitted_bytes_max` 16 MiB (commands logged
-- and not committed; more are refused, error 11), `forward` false (whether a server that does not
-- lead hands commands on to the one that does, instead of refusing them), `lease` false, or
-- {drift_max_percent = ...} (a leader answers reads by the clock; see raft/reads.lua), `machine`
-- "list" or "kv",
-- `compaction` none, or {entries =, bytes =, trailing =}: a snapshot is taken when so many entries,
-- or bytes of their data, were applied since the one before it, and the log keeps so many trailing
-- entries (0) of those that it covers; `snapshot_bytes_max` 65536 (of a snapshot, in one message).
--
-- Clients send {type = "submit", client = "c1", number = 17, commands = {...}} and are answered
-- {type = "submit_ok", number = (of the last), results = {...}} or {type = "error", code =, text =,
-- leader = (who may know better, or nil)}; see raft/submit.lua and raft/clients.lua. What changes
-- nothing is asked of any server, {type = "read", query = ...}, and answered without a write:
-- {type = "read_ok", result = ..., index = ...}; see raft/reads.lua.

local command = require "jangada.raft.command"
local commitment = require "jangada.raft.commitment"
local election = require "jangada.raft.election"
local errors = require "jangada.errors"
local kv = require "jangada.raft.kv"
local list = require "jangada.raft.list"
local raft_options = require "jangada.raft.options"
local reads = require "jangada.raft.reads"
local replication = require "jangada.raft.replication"
local rules = require "jangada.raft.rules"
local server = require "jangada.raft.server"
local snapshots = require "jangada.raft.snapshots"
local submit = require "jangada.raft.submit"

local M = {}

--- The decisions, by name.
M.rules = rules

--- How a command stands in the data of an entry.
M.command = command

--- The state machines; `kv` also makes the commands that it takes.
M.kv, M.list = kv, list

local function boot(node, options, its_rules)
  options = raft_options.complete(options)
  local machine = raft_options.machines[options.machine].new()
  local raft = server.new(node, options, its_rules, machine)
  function raft.on_election_timer() election.on_timer(raft) end
  function raft.on_heartbeat()
    reads.before_heartbeat(raft)
    replication.heartbeat(raft)
  end

  node:on("request_vote", function(message) election.on_request_vote(raft, message) end)
  node:on("request_vote_ok", function(message) election.on_request_vote_ok(raft, message) end)
  node:on("request_pre_vote", function(message) election.on_request_pre_vote(raft, message) end)
  node:on("request_pre_vote_ok", function(message)
    election.on_request_pre_vote_ok(raft, message)
  end)
  node:on("append_entries", function(message) replication.on_append_entries(raft, message) end)
  node:on("append_entries_ok", function(message)
    replication.on_append_entries_ok(raft, message)
    reads.on_append_entries_ok(raft, message)
  end)
  node:on("install_snapshot", function(message)
    replication.on_install_snapshot(raft, message)
  end)
  node:on("install_snapshot_ok", function(message)
    replication.on_install_snapshot_ok(raft, message)
  end)
  node:on("submit", function(message) submit.on_submit(raft, message) end)
  node:on("forward", function(message) submit.on_forward(raft, message) end)
  node:on("forward_ok", function(message) submit.on_forward_ok(raft, message) end)
  node:on("read", function(message) reads.on_read(raft, message) end)
  node:on("read_index", function(message) reads.on_read_index(raft, message) end)
  node:on("read_index_ok", function(message) reads.on_read_index_ok(raft, message) end)

  -- The state machine again, from the snapshot and the log, up to the saved commit index.
  snapshots.restore(raft)
  commitment.apply(raft)
  election.start_timer(raft)
end

--- Makes a protocol that decides by the reference rules, except those given. Raises
--- `raft_unknown_rule` for a name that is none.
---@param replacements? table<string, function>
---@return fun(node: table, options?: table)
function M.with(replacements)
  local its_rules = {}
  for name, rule in pairs(rules) do its_rules[name] = rule end
  for name, rule in pairs(replacements or {}) do
    if not rules[name] then
      errors.raise("raft_unknown_rule", "Raft has no rule %q", tostring(name))
    end
    its_rules[name] = rule
  end
  return function(node, options) boot(node, options, its_rules) end
end

--- The reference Raft.
M.protocol = M.with()

return M
