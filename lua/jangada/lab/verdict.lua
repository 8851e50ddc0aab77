-- What a world says when a run has gone wrong. A run that is fine has no verdict (nil).
-- Its kind is one of those below, or one that a user's script or invariant has given it.

local Verdict = {}
Verdict.__index = Verdict
Verdict.__name = "jangada.lab.Verdict"

function Verdict:__tostring()
  local subject = self.name and ("%s (%s)"):format(self.kind, self.name) or self.kind
  local where = self.node and " on " .. self.node or ""
  return ("%s at %.3f ms%s%s: %s"):format(subject, self.time_us / 1000, where,
    self.hopeless and " in a hopeless world" or "", self.message)
end

local M = {}

---@class jangada.Verdict
---@field kind string of `kinds`, or a user's own
---@field message string what happened
---@field time_us integer when
---@field node string|nil on which node
---@field name string|nil of the invariant
---@field code string|nil of the error object a handler raised
---@field traceback string|nil where a handler raised
---@field hopeless true|nil the world was: no protocol has to survive what may happen in it
---@field story string|nil what happened, in several lines

--- The kinds of verdict that Jangada itself gives: what each says of the protocol, and what has
--- happened. It says nothing, `unknown`, if the run was cut short, and is an `error` if the harness
--- could not do its work.
---@type table<string, {[1]: "violation"|"unknown"|"error", [2]: string}>
M.kinds = {
  handler_error = {"violation", "a handler raised: `traceback` says where"},
  invariant_violated = {"violation", "an invariant does not hold: `name` says which"},
  not_linearizable = {"violation", "what clients were told has no order: `story` shows it"},
  stuck = {"violation", "there was no progress although a core of nodes was well: `node` is who "
    .. "was the same for longest, `story` what they all were"},
  expectation_failed = {"violation", "what a step by hand expects is not so"},

  events_exceeded = {"unknown", "the run took more events than `events_max`"},
  queue_exceeded = {"unknown", "more messages and timers waited than `queue_max`"},
  message_storm = {"unknown", "more messages were on their way than `messages_max`"},
  memory_exceeded = {"unknown", "Lua had more memory than `memory_max`"},
  history_exceeded = {"unknown", "whether what clients were told has an order was not found "
    .. "within `steps_max`"},

  -- of a run that is not looked at from within
  trace_exceeded = {"unknown", "the run wrote more than its trace may have (`--trace-max`)"},
  time_exceeded = {"unknown", "the run took more time than it may (`--seed-time`): `traceback` "
    .. "says where it was"},
  worker_died = {"unknown", "the process that ran it did"},
  replay_ended = {"unknown", "a replay has come to the end of its trace, or has left it"},

  store_failed = {"error", "a store could not be opened, or flushed"},
  scenario_invalid = {"error", "the scenario cannot be used: a campaign ends by it, with exit "
    .. "code 2"},
  scenario_failed = {"error", "the scenario, or one of its clients, raised: `traceback` says "
    .. "where"},
}

---What a run came to. A kind of the user's own is a violation.
---@param verdict {kind: string}|nil
---@return "passed"|"violation"|"unknown"|"error"
function M.outcome(verdict)
  if verdict == nil then return "passed" end
  local kind = M.kinds[verdict.kind]
  return kind and kind[1] or "violation"
end

---The part of a traceback that is the protocol's: what called the handler is the same for all, and
---differs from one program that runs worlds to another.
---@param traceback string
---@return string
function M.own_part(traceback)
  local at = traceback:find("\n[^\n]*node/turn%.lua:%d+: in ")
  return at and traceback:sub(1, at - 1) or traceback
end

---Makes a verdict.
---@param fields table
---@return jangada.Verdict
function M.new(fields)
  return setmetatable(fields, Verdict)
end

return M
