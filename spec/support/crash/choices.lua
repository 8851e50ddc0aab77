-- Which crashes are tried where some changes are not flushed: systematic ones, then random ones.
local disk = require "spec.support.crash.disk"

local choices = {}

local NEWEST <const> = 8 -- the changes that are varied one by one; a flush rarely carries more

local function all_of(changes, upto)
  local all = {}
  for i = 1, upto or #changes do all[changes[i]] = true end
  return all
end

local function sectors(from, to)
  local mask = {}
  for i = from, to do mask[i] = true end
  return mask
end

-- LMDB takes a sector for whole or absent (its meta pages have no checksum); the journal does not.
local function may_split(change)
  return change.file.name:find("-journal$") ~= nil
end

-- Where a write may be torn within its sectors: between records of the journal, and anywhere.
local function cuts(change, random, bounds)
  local places, at = {}, 1
  while at and #places < bounds do
    at = change.data:find("JgJ1", at + 1, true)
    places[#places + 1] = at
  end
  for _ = 1, bounds do places[#places + 1] = random(1, #change.data) end
  return places
end

-- The ways in which a part of one write is there.
local function torn(change, random, bounds)
  local ways, pieces = {}, disk.pieces(change)
  if pieces == 0 then return ways end
  ways[1] = "size"
  local step = math.max(1, (pieces - 1) // bounds)
  for bound = 1, pieces - 1, step do
    local at = math.min(pieces - 1, bound + random(0, step - 1))
    ways[#ways + 1] = sectors(1, at)
    ways[#ways + 1] = sectors(at + 1, pieces)
    ways[#ways + 1] = sectors(at, at)
  end
  for _, at in ipairs(may_split(change) and cuts(change, random, bounds) or {}) do
    ways[#ways + 1] = { bytes = true, to = at - 1 }
    ways[#ways + 1] = { bytes = true, from = at }
  end
  return ways
end

local function some(change, random)
  local pieces = disk.pieces(change)
  if pieces == 0 or random(1, 4) > 1 then return true end
  if may_split(change) and random(1, 2) == 1 then
    local at = random(1, #change.data)
    return random(1, 2) == 1 and { bytes = true, to = at } or { bytes = true, from = at }
  end
  local mask = {}
  for i = 1, pieces do mask[i] = random(1, 2) == 1 or nil end
  return mask
end

--- Calls try(choice) with what Disk:image takes, for many choices; some may be equal.
---@param changes crash.Change[] what is not flushed
---@param random fun(from: integer, to: integer): integer
---@param thoroughness {samples: integer, bounds: integer} random choices; places at which a write
---  is torn
---@param try fun(choice: table)
function choices.each(changes, random, thoroughness, try)
  try({})
  if #changes == 0 then return end
  try(all_of(changes))
  for i = math.max(1, #changes - NEWEST + 1), #changes do
    local change, before = changes[i], all_of(changes, i - 1)
    local function with(base, way)
      base[change] = way
      try(base)
    end
    try(before)
    with({}, true)
    with(all_of(changes), nil)
    for _, way in ipairs(torn(change, random, thoroughness.bounds)) do
      with(all_of(changes, i), way)
      with(all_of(changes), way)
      with({}, way)
    end
  end
  for _ = 1, #changes > 1 and thoroughness.samples or 0 do
    local choice, percent = {}, random(5, 95)
    for _, change in ipairs(changes) do
      if random(1, 100) <= percent then choice[change] = some(change, random) end
    end
    try(choice)
  end
end

return choices
