--- What a campaign tells: its progress, and what it came to.

local files = require "jangada.files"
local junit = require "jangada.lab.campaign.junit"
local screens = require "jangada.cli.screen"
local units = require "jangada.cli.units"
local whole_file = require "jangada.cli.whole_file"

local thousands = screens.thousands

local report = {}

local LISTED_MAX <const> = 8
local LINE_MAX <const> = 200

local function first_line(text)
  local line = (text or ""):match("^[^\n]*")
  return #line > LINE_MAX and line:sub(1, LINE_MAX) .. "..." or line
end

--- A kind of failure in words.
---@param group jangada.Group
---@return string
function report.name(group)
  return group.subject and ("%s (%s)"):format(group.kind, group.subject) or group.kind
end

local function count_groups(tally)
  local n = 0
  for _ in pairs(tally.groups) do n = n + 1 end
  return n
end

-- 4000 -> "1:06:40".
local function clock_text(seconds)
  seconds = math.ceil(seconds)
  local hours, minutes = seconds // 3600, seconds // 60 % 60
  if hours > 0 then return ("%d:%02d:%02d"):format(hours, minutes, seconds % 60) end
  return ("%d:%02d"):format(minutes, seconds % 60)
end

--- How it goes, in a line: seeds a second, failures by kind, marks, time to go.
---@param tally table
---@param total integer seeds
---@param rate number seeds a second
---@return string
function report.progress(tally, total, rate)
  local counts = tally.counts
  local parts = { ("%3d%%  %s/%s seeds"):format(tally.total * 100 // total,
    thousands(tally.total), thousands(total)),
    rate < 10 and ("%.1f/s"):format(rate) or thousands(rate) .. "/s" }
  local failed = tally.total - counts.passed
  if failed > 0 then
    parts[#parts + 1] = ("%s failed (%s)"):format(thousands(failed),
      units.count(count_groups(tally), "kind"))
  end
  local reached, never = tally:sorted_marks()
  if #reached + #never > 0 then
    parts[#parts + 1] = ("%d/%d marks"):format(#reached, #reached + #never)
  end
  if rate > 0 then parts[#parts + 1] = clock_text((total - tally.total) / rate) .. " left" end
  return "  " .. table.concat(parts, "  ")
end

--- The line that tells of the first failure of a kind.
---@param screen jangada.Screen
---@param group jangada.Group
---@param result table
function report.failure(screen, group, result)
  screen:print("seed %d: %s: %s", result.seed, report.name(group),
    first_line(result.verdict.message))
end

local function seeds_of(group)
  local words = {}
  for i, result in ipairs(group.results) do
    if i > LISTED_MAX then
      words[i] = "..."
      break
    end
    words[i] = ("%d"):format(result.seed)
  end
  return table.concat(words, " ")
end

local function hopeless_of(group)
  if group.hopeless == 0 then return "" end
  return group.hopeless == #group.results and " of hopeless worlds"
    or (", %s of hopeless worlds"):format(thousands(group.hopeless))
end

local function print_groups(screen, tally, scenario)
  for _, group in ipairs(tally:sorted()) do
    local first = group.results[1]
    screen:print("")
    screen:print("%s %s, %s%s: %s", group.outcome:upper(), report.name(group),
      units.count(#group.results, "seed"), hopeless_of(group), seeds_of(group))
    screen:print("  seed %d: %s", first.seed, first_line(first.verdict.message))
    local traceback = (first.verdict.traceback or ""):match("stack traceback:\n(.*)")
    if traceback then screen:print("%s", (("\n" .. traceback):gsub("\n%s*", "\n    "):sub(2))) end
    screen:print("  again: jangada lab run %s --seed %d", files.word(scenario), first.seed)
  end
end

local function print_marks(screen, tally)
  local reached, never = tally:sorted_marks()
  local words = {}
  for i, mark in ipairs(reached) do
    words[i] = ("%s %s"):format(mark.name, thousands(mark.count))
  end
  if #reached + #never > 0 then screen:print("") end
  if #reached > 0 then screen:print("marks: %s", table.concat(words, ", ")) end
  if #never > 0 then screen:print("NEVER REACHED: %s", table.concat(never, ", ")) end
end

--- What it came to.
---@param screen jangada.Screen
---@param tally table
---@param meta {scenario: string, seconds: number|nil, run: integer|nil, left: integer|nil,
---why: string|nil} `run`: seeds of this run; `left`: seeds that were not run
function report.summary(screen, tally, meta)
  print_groups(screen, tally, meta.scenario)
  print_marks(screen, tally)
  local counts = tally.counts
  local parts = { ("%s passed"):format(thousands(counts.passed)) }
  for _, outcome in ipairs{ "violation", "unknown", "error" } do
    local many = outcome == "unknown" and "unknown" or nil
    if counts[outcome] > 0 then
      parts[#parts + 1] = units.count(counts[outcome], outcome, many)
    end
  end
  screen:print("")
  if meta.seconds then
    screen:print("%s in %.1f s, %.1f a second", units.count(meta.run, "seed"), meta.seconds,
      meta.run / math.max(meta.seconds, 0.001))
  end
  if meta.why then
    screen:print("%s: %s left", meta.why, units.count(meta.left, "seed"))
  end
  screen:print("%s: %s", units.count(tally.total, "seed"), table.concat(parts, ", "))
  if tally.hopeless > 0 then
    screen:print("HOPELESS: in %s there might be what no protocol has to survive",
      tally.hopeless == tally.total and "all of them" or units.count(tally.hopeless, "seed"))
  end
end

--- Writes the JUnit file.
---@param path string
---@param tally table
---@param meta table as for `summary`
---Raises `input_invalid`.
function report.write_junit(path, tally, meta)
  whole_file.write(path, function(write) write(junit.format(tally, meta)) end)
end

return report
