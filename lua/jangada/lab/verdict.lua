-- What a world says when a run has gone wrong. A run that is fine has no verdict (nil).
--
--     handler_error        a handler raised: `traceback` says where
--     invariant_violated   an invariant does not hold: `name` says which
--     not_linearizable     what clients were told has no order: `story` shows it
--     stuck                there was no progress although a core of nodes was well: `node` is who
--                          was the same for longest, `story` what they all were
--     history_exceeded     whether there is one was not found within the budget
--     expectation_failed   what a step by hand expects is not so (jangada.lab.hand)
--     events_exceeded      the run took more events than its budget
--     queue_exceeded       more messages and timers waited than the budget allows
--     message_storm        more messages were on their way than the budget allows
--     memory_exceeded      there was more memory than the budget allows
--     store_failed         a store could not be opened
--
-- and, of a run that is not looked at from within:
--
--     trace_exceeded       it wrote more than its trace may have
--     time_exceeded        it took more time than it may: `traceback` says where it was
--     worker_died          the process that ran it did
--     scenario_failed      the scenario, or one of its clients, raised

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
---@field kind string see above
---@field message string what happened
---@field time_us integer when
---@field node string|nil on which node
---@field name string|nil of the invariant
---@field code string|nil of the error object a handler raised
---@field traceback string|nil where a handler raised
---@field hopeless true|nil the world was: no protocol has to survive what may happen in it
---@field story string|nil what happened, in several lines

-- What a kind of verdict says of the protocol: nothing, if the run was cut short, or if the harness
-- could not do its work.
local OUTCOMES <const> = {
  events_exceeded = "unknown", queue_exceeded = "unknown", message_storm = "unknown",
  memory_exceeded = "unknown", trace_exceeded = "unknown",
  time_exceeded = "unknown", history_exceeded = "unknown", worker_died = "unknown",
  store_failed = "error", scenario_failed = "error",
}

---What a run came to.
---@param verdict {kind: string}|nil
---@return "passed"|"violation"|"unknown"|"error"
function M.outcome(verdict)
  return verdict == nil and "passed" or OUTCOMES[verdict.kind] or "violation"
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
