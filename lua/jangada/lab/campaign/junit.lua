-- A campaign as a JUnit file, which every continuous integration reads: a test case for each seed.
-- A violation is a failure; what is unknown, or could not be run, an error.

local M = {}

local ENTITIES <const> = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;"}

-- XML 1.0 has no way to write most control characters, nor bytes that are no UTF-8.
local function escape(text)
  if not utf8.len(text) then text = text:gsub("[\x80-\xff]", "?") end
  return (text:gsub("[\0-\8\11\12\14-\31]", "?"):gsub("\xef\xbf[\xbe\xbf]", "?")
    :gsub('[&<>"]', ENTITIES))
end

local function attributes(list)
  local words = {}
  for i = 1, #list, 2 do
    words[#words + 1] = (' %s="%s"'):format(list[i], escape(tostring(list[i + 1])))
  end
  return table.concat(words)
end

local function element_of(outcome)
  return outcome == "violation" and "failure" or "error"
end

local function add_failure(parts, group, result, meta)
  local verdict = result.verdict
  local element = element_of(group.outcome)
  local text = {verdict.traceback or verdict.message or "",
    result.hopeless and "in a hopeless world" or nil}
  text[#text + 1] = ("again: jangada lab run %s --seed %d"):format(meta.scenario, result.seed)
  parts[#parts + 1] = ("  <testcase%s>\n    <%s%s>%s</%s>\n  </testcase>\n"):format(
    attributes{"classname", meta.scenario, "name", ("seed %d"):format(result.seed)}, element,
    attributes{"type", group.subject and group.kind .. " " .. group.subject or group.kind,
      "message", verdict.message or ""},
    escape(table.concat(text, "\n")), element)
end

---Writes a tally.
---@param tally table
---@param meta {scenario: string, seconds: number|nil}
---@return string
function M.format(tally, meta)
  local counts = tally.counts
  local parts = {'<?xml version="1.0" encoding="UTF-8"?>\n',
    ("<testsuite%s>\n"):format(attributes{"name", meta.scenario, "tests", tally.total,
      "failures", counts.violation, "errors", counts.unknown + counts.error, "skipped", 0,
      "time", ("%.3f"):format(meta.seconds or 0)})}
  for _, group in ipairs(tally:sorted()) do
    for _, result in ipairs(group.results) do add_failure(parts, group, result, meta) end
  end
  table.sort(tally.passed)
  for _, seed in ipairs(tally.passed) do
    parts[#parts + 1] = ("  <testcase%s/>\n"):format(
      attributes{"classname", meta.scenario, "name", ("seed %d"):format(seed)})
  end
  parts[#parts + 1] = "</testsuite>\n"
  return table.concat(parts)
end

return M
