-- jangada.log.snapshots with small chunks, few of them in a transaction: a snapshot of some
-- kilobytes then takes several transactions, as one of megabytes does. To be required before it.
local path = assert(package.searchpath("jangada.log.snapshots", package.path))
local file <close> = assert(io.open(path))
local source = file:read("a")

local function replace(old, new)
  local count
  source, count = source:gsub(old, new)
  assert(count == 1, path .. " has changed")
end

replace("snapshots%.CHUNK_SIZE = %d+", "snapshots.CHUNK_SIZE = 700")
replace("local CHUNKS_MAX <const> = %d+", "local CHUNKS_MAX <const> = 2")
assert(not package.loaded["jangada.log.snapshots"])
package.loaded["jangada.log.snapshots"] = assert(load(source, "@" .. path))()
