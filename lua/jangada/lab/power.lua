-- What a crash leaves of a journal on a memory disk: of the commits that were not flushed any
-- prefix, whole, and behind it what a disk may have left there.
--
--     cut         nothing: the bytes are what they were before
--     torn        each sector of 512 bytes is as it was written, or as it was before. A commit
--                 whose sectors all are, behind others that are whole, survives too
--     scribbled   bytes that nobody wrote

local mix = require("jangada.node.plain").mix

local M = {}

local FLUSH <const> = "flush"
local SECTOR_SIZE <const> = 512
local SCRIBBLE_MAX <const> = 1024 -- bytes

local tails = {}

function tails.cut(journal, from, at)
  journal:cut(at - from)
end

function tails.torn(journal, from, at, _, chance)
  local first = from // SECTOR_SIZE - 1
  journal:tear(function(n)
    local survives = chance:chance(0.5)
    return survives or (first + n) * SECTOR_SIZE < at
  end)
end

function tails.scribbled(journal, from, at, to)
  journal:cut(at - from)
  local words = {}
  for i = 1, math.min(to - at, SCRIBBLE_MAX) // 8 do
    words[i] = string.pack("j", mix(at, i))
  end
  journal:scribble(at, table.concat(words))
end

---@class jangada.lab.Commit
---@field lsn integer
---@field used integer bytes of the journal, with it
---@field checkpoint_lsn integer of the last checkpoint before it

local NAMES <const> = {"cut", "torn", "scribbled"}

---Whether it is the name of what can be behind what survives.
---@param name any
---@return boolean
function M.is_tail(name)
  return tails[name] ~= nil
end

---Drops a DB as a power failure would.
---@param db table
---@param journal jangada.MemoryDisk
---@param commits jangada.lab.Commit[] those that were not flushed; if the disk has failed there may
---be one more, of which nobody knows whether it was
---@param accident {keep: integer|nil, tail: string|nil} how many of them survive, and what is
---behind these: what it does not say is drawn
---@param chance table stream
---@return string tail
function M.fail(db, journal, commits, accident, chance)
  local is_known = not journal:unflushed()
  local keep = chance:choose(#commits + (is_known and 1 or 2))
  local tail = NAMES[chance:choose(#NAMES) + 1]
  keep, tail = accident.keep and math.min(accident.keep, #commits) or keep, accident.tail or tail
  local checkpoint_lsn, durable = #commits > 0 and commits[#commits].checkpoint_lsn, 0
  while durable < #commits and commits[durable + 1].lsn <= checkpoint_lsn do
    durable = durable + 1
  end
  journal:fail(FLUSH) -- so that all is written, and nothing flushed
  pcall(db.flush, db)
  db:abandon()
  journal:fail(FLUSH, 0)
  local from, to = journal:unflushed()
  if from then
    local at = keep > #commits and to or keep > durable and commits[keep].used or from
    tails[tail](journal, from, at, to, chance)
  end
  return tail
end

return M
