-- Databases for one spec: made in a memory file system where there is one, removed by `clean`.
local store = require "jangada.store"
local temporary = require "spec.support.temporary"

local scratch = {}

local directory
directory, scratch.owner = temporary.directory()

local opened, paths, made = {}, {}, 0

--- What `open` opens with.
scratch.durability = os.getenv("DURABILITY") or "none"

--- Opens a new database, or one made before; unflushed unless DURABILITY says otherwise.
---@param path? string
---@return table db
---@return string path
function scratch.open(path)
  if not path then
    made = made + 1
    path = ("%s/%d.db"):format(directory, made)
    paths[#paths + 1] = path
  end
  local db = assert(store.open(path, { durability = scratch.durability, journal_size = 1 << 20 }))
  opened[#opened + 1] = db
  return db, path
end

--- Closes what is open of a file, and leaves it to `clean`.
---@param path string
function scratch.close(path)
  for _, db in ipairs(opened) do
    if db:path() == path then db:close() end
  end
end

--- Closes and removes everything opened since the last time; for `after_each`.
function scratch.clean()
  for _, db in ipairs(opened) do db:close{ force = true } end
  for _, path in ipairs(paths) do
    for _, kind in ipairs{ "", "-lock", "-journal" } do os.remove(path .. kind) end
  end
  opened, paths = {}, {}
end

return scratch
