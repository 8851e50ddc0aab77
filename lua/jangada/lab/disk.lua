-- Where the nodes of a world keep their stores.
--
-- Each node has a real store in a file of its own. In a directory the user names the files are
-- n1.db, n2.db... and stay when the world is closed. Without one they are made in a temporary
-- directory of this process and removed when the world is closed or collected. There nothing
-- outlives the process, so they are on the memory file system, and their journals, if they have
-- some, on memory disks; only who asks for durability "commit" wants the flushes of a real one.
--
-- A process that is killed leaves its directory behind. So each has one more store in it, which the
-- process keeps open and thereby locked: who can open it knows that the process is gone, and
-- removes the directory.
--
-- A memory disk knows what was flushed. A node's commits need not wait for it: the world flushes
-- later (jangada.lab.flushing), and a crash before that takes some of them back
-- (jangada.lab.power).

local errors = require "jangada.errors"
local files = require "jangada.files"
local power = require "jangada.lab.power"
local store = require "jangada.store"

local Disk = {}
Disk.__index = Disk
Disk.__name = "jangada.lab.Disk"

local M = {}

local MEMORY <const> = "/dev/shm"
local JOURNAL_SIZE <const> = 1 << 20 -- bytes; it is written full of zeros for each node

local OWNER <const> = "owner.db"

local temporary = {} -- parent directory -> guard of the temporary directory in it
local worlds = 0     -- worlds that had files there: numbers their names

-- Whether files can be made in a directory.
local function is_usable(directory)
  local path = ("%s/.jangada-%s"):format(directory, tostring(temporary):match("%w+$"))
  local file = io.open(path, "w")
  if not file then return false end
  file:close()
  os.remove(path)
  return true
end

-- Removes what killed processes left. A directory's store that is new may not be locked yet.
local function remove_abandoned(parent)
  local pipe <close> = assert(io.popen(("find %s/jangada-lab-?????? -maxdepth 1 -name %s -mmin +1 "
    .. "2>/dev/null"):format(files.quote(parent), OWNER)))
  for path in pipe:lines() do
    local owner <close> = store.open(path, {lock_timeout_ms = 0})
    if owner then os.execute("rm -rf -- " .. files.quote(path:match("^(.*)/"))) end
  end
end

local function remove_own(guard)
  guard.owner:close()
  files.remove_store(guard.path .. "/" .. OWNER)
  os.remove(guard.path)
end

local function make_temporary(parent)
  local guard = temporary[parent]
  if guard then return guard.path end
  remove_abandoned(parent)
  local path = files.make_temporary("jangada-lab", parent)
  local owner = path and store.open(path .. "/" .. OWNER, {durability = "none"})
  if not owner then errors.raise("directory_invalid", "cannot make a directory in %s", parent) end
  -- Collected at the end of the process, after the worlds whose files were in it.
  temporary[parent] = setmetatable({path = path, owner = owner}, {__gc = remove_own})
  return path
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function use_directory(directory, ids)
  files.make_directory(directory)
  if not is_usable(directory) then
    errors.raise("directory_invalid", "cannot make files in %s", directory)
  end
  for _, id in ipairs(ids) do
    local path = ("%s/%s.db"):format(directory, id)
    if exists(path) then
      errors.raise("directory_invalid", "%s exists; a run begins with empty stores", path)
    end
  end
  return directory .. "/"
end

---Makes the disks of a world.
---@param directory string|nil where the files stay; nil for temporary ones
---@param durability string "none", "commit" or "journal", as store.open takes it
---@param ids string[] of the nodes
---@return table disk
---Raises `directory_invalid` when the directory cannot be used or holds such files.
function M.new(directory, durability, ids)
  local prefix
  if directory then
    prefix = use_directory(directory, ids)
  else
    local parent = durability ~= "commit" and is_usable(MEMORY) and MEMORY
      or os.getenv("TMPDIR") or "/tmp"
    worlds = worlds + 1
    prefix = ("%s/w%d-"):format(make_temporary(parent), worlds)
  end
  local journals, commits = {}, {}
  if not directory and durability == "journal" then
    for _, id in ipairs(ids) do journals[id], commits[id] = store.memory_disk(), {} end
  end
  return setmetatable({
    prefix = prefix,
    durability = durability,
    ids = ids,
    is_temporary = directory == nil,
    journals = journals, -- id -> memory disk, which outlives the node's crashes
    failures = {},       -- id -> {call =, error =}: how its disk fails the next time
    liars = {},          -- id -> the last commit that its disk has kept, while its flushes lie
    commits = commits,   -- id -> its commits that are not flushed (jangada.lab.Commit)
  }, Disk)
end

---The file of a node.
---@param id string
---@return string path
function Disk:path(id)
  return ("%s%s.db"):format(self.prefix, id)
end

---Opens the store of a node.
---@param id string
---@return table db
---Raises what store.open returns.
function Disk:open(id)
  local db, message, code = store.open(self:path(id), {
    durability = self.durability, journal_size = JOURNAL_SIZE, journal_disk = self.journals[id],
  })
  if not db then errors.raise(code, "%s: %s", id, message) end
  self:set_failure(id, self.failures[id])
  if self.liars[id] then self.liars[id] = db:info().last_tx_id end
  return db
end

---Lets the flushes of a node lie, or be true again: then the next one keeps everything.
---@param id string
---@param db table|nil nil while it is down
---@param lies boolean
function Disk:set_lying(id, db, lies)
  self.journals[id]:lie(lies)
  self.liars[id] = lies and (self.liars[id] or db and db:info().journal.flushed_lsn or 0) or nil
end

---Says how the disk of a node fails the next time that it is used.
---@param id string
---@param failure {call: string, error: string}|nil nil: not at all
function Disk:set_failure(id, failure)
  local journal, before = self.journals[id], self.failures[id]
  if not journal then return end
  if before then journal:fail(before.call, 0) end
  if failure then journal:fail(failure.call, 1, failure.error) end
  self.failures[id] = failure
end

---Whether the journals are on memory disks, which can have accidents.
---@return boolean
function Disk:is_simulated()
  return next(self.journals) ~= nil
end

---Takes note of a commit that was not waited for.
---@param id string
---@param db table
function Disk:note(id, db)
  local journal, commits = db:info().journal, self.commits[id]
  commits[#commits + 1] = {lsn = journal.lsn, used = journal.used,
    checkpoint_lsn = journal.checkpoint_lsn}
end

---Makes all commits of a node durable.
---@param id string
---@param db table
---Raises what db:flush raises.
function Disk:flush(id, db)
  db:flush()
  if self.commits[id] then self.commits[id] = {} end
end

---Drops the store of a node whose flushes have lied: what they should have kept is not there.
---@param id string
---@param db table
---@param chance table stream
---@return {lsn: integer}[] commits that only a checkpoint has saved, or nothing
---@return string tail
function Disk:expose(id, db, chance)
  local commits, was = self.commits[id] or {}, db:info().journal
  self.commits[id] = {}
  power.fail(db, self.journals[id], commits, {keep = 0, tail = "cut"}, chance)
  local lied = {}
  for lsn = math.max(self.liars[id], was.checkpoint_lsn) + 1, was.lsn do
    lied[#lied + 1] = {lsn = lsn}
  end
  return lied, "cut"
end

---Drops the store of a node as a crash would. What was flushed stays.
---@param id string
---@param db table
---@param accident {keep: integer|nil, tail: string|nil} see jangada.lab.power
---@param chance table stream
---@return {lsn: integer}[] commits those that were not flushed: some of them may be lost
---@return string|nil tail what is behind those that survive; nil when there is no such commit
function Disk:crash(id, db, accident, chance)
  local commits, journal = self.commits[id] or {}, self.journals[id]
  if self.liars[id] then return self:expose(id, db, chance) end
  if #commits == 0 and not (journal and journal:unflushed()) then
    db:abandon()
    return commits, nil
  end
  self.commits[id] = {}
  return commits, power.fail(db, journal, commits, accident, chance)
end

---Empties the disk of a node that is down.
---@param id string
function Disk:wipe(id)
  files.remove_store(self:path(id))
  if self.journals[id] then
    self.journals[id], self.commits[id] = store.memory_disk(), {}
    if self.liars[id] then self:set_lying(id, nil, true) end
  end
end

---Changes the disks of two nodes that are down, with all that is wrong with them.
---@param a string
---@param b string
function Disk:swap(a, b)
  local path, other = self:path(a), self:path(b)
  for _, suffix in ipairs{"", "-lock", "-journal"} do
    os.rename(path .. suffix, path .. suffix .. ".swap")
    os.rename(other .. suffix, path .. suffix)
    os.rename(path .. suffix .. ".swap", other .. suffix)
  end
  for _, of in ipairs{self.journals, self.commits, self.failures, self.liars} do
    of[a], of[b] = of[b], of[a]
  end
end

---Removes the files, if they are temporary. Their stores are closed.
function Disk:remove()
  if not self.is_temporary then return end
  for _, id in ipairs(self.ids) do files.remove_store(self:path(id)) end
end

return M
