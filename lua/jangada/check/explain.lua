--- Says what a check found, so that a person sees it at a glance.

local timeline = require "jangada.check.timeline"
local values = require "jangada.check.values"

local explain = {}

-- Of a longer description the end is shown: what was appended last tells most. In characters.
local TEXT_MAX <const> = 40

-- A picture of more operations shows nothing: they are listed alone.
local DRAWN_MAX <const> = 24

local function count(n, one, many)
  return ("%d %s"):format(n, n == 1 and one or many or one .. "s")
end

-- From the byte `at` on, or from the next where a character begins.
local function character_start(text, at)
  while at <= #text and text:byte(at) & 0xc0 == 0x80 do at = at + 1 end
  return at
end

local function shorten(text)
  local length = utf8.len(text) or #text
  if length <= TEXT_MAX then return text end
  local head = text:sub(1, character_start(text, 13) - 1)
  return head .. "…" .. text:sub(character_start(text, #text - (TEXT_MAX - 14)))
end

local function describe(result)
  return function(operation) return shorten(result.model.describe(operation)) end
end

local function where(operation)
  if operation.line then
    local last = operation.line_returned
    if last and last ~= operation.line then
      return ("lines %s and %s"):format(operation.line, last)
    end
    return ("line %s"):format(operation.line)
  end
  if not operation.returned then return ("event %d"):format(operation.invoked) end
  return ("events %d and %d"):format(operation.invoked, operation.returned)
end

local function counts(result)
  local parts = { count(result.operations, "operation") }
  if #result.parts > 1 then parts[#parts + 1] = ("%d keys"):format(#result.parts) end
  if result.unknown > 0 then
    parts[#parts + 1] = ("%d of unknown outcome"):format(result.unknown)
  end
  if result.removed > 0 then parts[#parts + 1] = ("%d failed"):format(result.removed) end
  return table.concat(parts, ", ")
end

-- "the value was 1, 3 or 4": when all is placed that returned before it.
local function endings_text(result, failure)
  local texts, known = {}, {}
  for _, ending in ipairs(failure.endings) do
    local text = shorten(result.model.show(ending.state))
    if not known[text] then
      known[text], texts[#texts + 1] = true, text
    end
  end
  table.sort(texts)
  local last = failure.endings.more and "something else" or table.remove(texts)
  local first = #texts > 0 and table.concat(texts, ", ") .. " or " or ""
  return ("%s was %s%s"):format(result.model.noun, first, last)
end

-- The core, with what is shown beside it, by invocation.
local function shown(failure)
  local list = { table.unpack(failure.core) }
  for operation in pairs(failure.sources) do list[#list + 1] = operation end
  table.sort(list, function(a, b) return a.invoked < b.invoked end)
  return list
end

local function note(failure, operation)
  if failure.sources[operation] then return " (what was seen comes from here)" end
  return operation.returned and "" or " (outcome unknown)"
end

local function core_lines(result, lines)
  local failure = result.failure
  local operations, others = shown(failure), result.operations - #failure.core
  lines[#lines + 1] = ""
  lines[#lines + 1] = others == 0 and "All of them are needed for that:"
    or ("%s no order already, whatever the other %d did:"):format(#failure.core == 1
      and "This one has" or ("These %d have"):format(#failure.core), others)
  lines[#lines + 1] = ""
  if #operations <= DRAWN_MAX then
    local drawn = timeline.draw(operations, describe(result), failure.operation, failure.sources)
    for _, line in ipairs(drawn) do lines[#lines + 1] = "  " .. line end
    lines[#lines + 1] = ""
  end
  for _, operation in ipairs(operations) do
    lines[#lines + 1] = ("  %s, process %s: %s%s"):format(where(operation), operation.process,
      result.model.describe(operation), note(failure, operation))
  end
end

local function failure_lines(result, lines)
  local failure = result.failure
  local key = failure.key ~= nil and ("key %s: "):format(values.text(failure.key)) or ""
  lines[#lines + 1] = ("%sno order explains %s of process %s (%s)."):format(key,
    shorten(result.model.describe(failure.operation)), failure.operation.process,
    where(failure.operation))
  if #failure.endings > 0 then
    lines[#lines + 1] = ("By its return %s, whatever the order."):format(
      endings_text(result, failure))
  end
  if failure.core then core_lines(result, lines) end
end

local function unknown_lines(result, lines)
  for _, part in ipairs(result.parts) do
    if part.verdict == nil then
      lines[#lines + 1] = ("%s%s, no order found after %d steps: out of %s"):format(
        part.key ~= nil and ("key %s: "):format(values.text(part.key)) or "",
        count(#part.operations, "operation"), part.steps, part.reason)
    end
  end
end

local VERDICTS <const> = { linearizable = "linearizable", not_linearizable = "NOT linearizable",
  unknown = "UNKNOWN" }

--- The text of a result, in lines.
---@param result jangada.check.Result
---@return string without a newline at its end
function explain.text(result)
  local lines = { ("%s: %s (%s), %s"):format(VERDICTS[result.verdict], counts(result),
    result.model.name, count(result.steps, "step")) }
  if result.verdict == "not_linearizable" then failure_lines(result, lines) end
  if result.verdict == "unknown" then unknown_lines(result, lines) end
  if result.removed_cas > 0 then
    lines[#lines + 1] = ("%s counted as not having happened; --failed-cas mismatch counts %s as "
      .. "having found another value."):format(count(result.removed_cas, "failed cas is",
      "failed cas are"), result.removed_cas == 1 and "it" or "them")
  end
  return table.concat(lines, "\n")
end

return explain
