-- What the specs of durability "journal" share: a store on a simulated disk that crashes, and
-- journals read by the letter of docs/journal.md, with nothing of the store's own code but its CRC.
local fresh = require "spec.support.fresh"
local programs = require "spec.support.programs"
local store = require "jangada.store"

local journals = {}

--- Opens a store with a journal: a small one, in a file unless `options` name a disk.
---@param path? string default: a fresh one
---@param options? table of store.open
---@return jangada.DB db
---@return string path
function journals.open(path, options)
  local o = { durability = "journal", journal_size = 1 << 16 }
  for name, value in pairs(options or {}) do o[name] = value end
  return fresh.open(path, o)
end

-- ---- a store, its disk and its accidents -----------------------------------------------------

local Rig = {}
Rig.__index = Rig

--- A store with one bucket, "b", and its journal on a simulated disk. One commit is in the journal.
---@param options? table of store.open; `journal_disk = false`: in a file
---@return table rig {db=, path=, disk=, options=}
function journals.rig(options)
  local o = { journal_disk = store.memory_disk() }
  for name, value in pairs(options or {}) do o[name] = value end
  local rig = setmetatable({ disk = o.journal_disk, options = o }, Rig)
  if not o.journal_disk then o.journal_disk, rig.disk = nil, nil end
  rig.db, rig.path = journals.open(nil, o)
  rig.db:update(function(tx) tx:create_bucket("b") end)
  return rig
end

--- Commits one item, and waits for it.
function Rig:put(key, value)
  self.db:update(function(tx) tx:bucket("b"):put(key, value or "v") end)
end

--- Commits one item, and does not.
---@return jangada.Ticket
function Rig:later(key, value)
  local tx <close> = self.db:begin("write")
  tx:bucket("b"):put(key, value or "v")
  return tx:commit{ wait = false }
end

--- The process dies, and the power fails: of what was not flushed, `keep` bytes survive.
function Rig:crash(keep)
  self.db:abandon()
  if self.disk then self.disk:cut(keep) end
end

--- Opens it as store.open does.
function Rig:try(options)
  local o = { durability = "journal", journal_size = 1 << 16 }
  for _, given in ipairs{ self.options, options or {} } do
    for name, value in pairs(given) do o[name] = value end
  end
  return store.open(self.path, o)
end

--- Opens it; it must open.
function Rig:open(options)
  local o = {}
  for _, given in ipairs{ self.options, options or {} } do
    for name, value in pairs(given) do o[name] = value end
  end
  self.db = journals.open(self.path, o)
  return self.db
end

--- The keys of the bucket, in one string.
function Rig:keys()
  return self.db:view(function(tx) return table.concat(fresh.keys(tx:bucket("b"):each()), " ") end)
end

--- The journal's bytes.
function Rig:bytes()
  if self.disk then return self.disk:read(0, self.disk:size()) end
  local f <close> = assert(io.open(self.path .. "-journal", "rb"))
  return f:read("a")
end

--- Overwrites bytes of the journal; of nobody but us.
function Rig:scribble(at, bytes)
  if self.disk then return self.disk:scribble(at, bytes) end
  local f <close> = assert(io.open(self.path .. "-journal", "r+b"))
  f:seek("set", at)
  f:write(bytes)
end

--- A rig whose process died with three commits in the journal: the bucket, "1" and "2".
---@param options? table of journals.rig
function journals.crashed(options)
  local rig = journals.rig(options)
  rig:put("1")
  rig:put("2")
  rig:crash()
  return rig
end

--- The same with the journal in a file.
function journals.crashed_with_file()
  return journals.crashed{ journal_disk = false }
end

--- Runs a script on a disk whose flushes can be made to wait, or to fail, and that can be full. In
--- it: `db` with a bucket, its journal in a file; put(key [, waits]); hold(), release(), lose(),
--- find(), fill(), free(); flushes(), threads(), code(fn, ...).
---@param script string Lua source
---@param faults? string more of them, see faults.c
---@return string output
---@return string path
function journals.run_held(script, faults)
  local path = fresh.path()
  local ways = ("FAULT_HOLD='%s-hold' FAULT_LOST='%s-lost' FAULT_FULL='%s-full' %s"):format(path,
    path, path, faults or "")
  local output = fresh.run_with(ways, [[
    local path = ...
    local store = require "jangada.store"
    local db = assert(store.open(path, { durability = "journal", journal_size = 1 << 18 }))
    db:update(function(tx) tx:create_bucket("b") end)
    local function make(what) return function() io.open(path .. what, "w"):close() end end
    local function remove(what) return function() os.remove(path .. what) end end
    local hold, release = make("-hold"), remove("-hold")
    local lose, find = make("-lost"), remove("-lost")
    local fill, free = make("-full"), remove("-full")
    local function put(key, waits, value)
      local tx = db:begin("write")
      tx:bucket("b"):put(key, value or "v")
      return tx:commit{ wait = waits or false }
    end
    local function flushes() return db:stats().flushes.count end
    local function threads()
      local pipe <close> = io.popen("ls /proc/" .. io.open("/proc/self/stat"):read("n") .. "/task")
      return select(2, pipe:read("a"):gsub("\n", ""))
    end
    local function code(fn, ...)
      local ok, failure = pcall(fn, ...)
      return ok and "ok" or type(failure) == "table" and failure.code or failure
    end
  ]] .. script, path)
  for _, what in ipairs{ "-hold", "-lost", "-full" } do os.remove(path .. what) end
  return output, path
end

-- ---- formats ---------------------------------------------------------------------------------

local function record_at(bytes, at)
  if bytes:sub(at + 1, at + 4) ~= "JgJ1" then return nil end
  local r = { at = at }
  r.crc, r.size, r.zero, r.epoch, r.lsn, r.flushed_lsn, r.id =
    string.unpack(">I4 I4 I4 I8 I8 I8 I8", bytes, at + 5)
  if store.crc32c(bytes:sub(at + 9, at + r.size)) ~= r.crc then return nil end
  r.body = bytes:sub(at + 49, at + r.size)
  return r
end

--- Splits a journal into the records that stand in it from its beginning: each follows the one
--- before it, or begins the next block: of 512 bytes on a memory disk, of 4,096 in a file.
---@param bytes string
---@return table[] records {at=, size=, crc=, zero=, epoch=, lsn=, flushed_lsn=, id=, body=}
function journals.records(bytes)
  local records, at = {}, 0
  while true do
    local last, found = records[#records], nil
    for _, block in ipairs{ 8, 512, 4096 } do
      local r = record_at(bytes, (at + block - 1) // block * block)
      local follows = r and (not last or r.epoch == last.epoch and r.lsn == last.lsn + 1)
      found = found or follows and r or nil
    end
    if not found then return records end
    records[#records + 1] = found
    at = found.at + (found.size + 7) // 8 * 8
  end
end

local readers = {
  T = function(body, at) return string.unpack(">s2", body, at) end,
  P = function(body, at)
    local tree, key_size, value_size, head = string.unpack(">I2 I2 I4", body, at)
    local key, value, past = string.unpack(("c%d c%d"):format(key_size, value_size), body, head)
    return tree, key, value, past
  end,
  D = function(body, at) return string.unpack(">I2 s2", body, at) end,
  R = function(body, at)
    local tree, from_size, to_size, head = string.unpack(">I2 I2 I2", body, at)
    local from, to, past = string.unpack(("c%d c%d"):format(from_size, to_size), body, head)
    return tree, from, to, past
  end,
  X = function(body, at) return string.unpack(">I2", body, at) end,
}
readers.C, readers.A = readers.T, readers.P

--- The operations in a record's body: {kind, ...}, each as docs/journal.md says.
function journals.operations(body)
  local operations, at = {}, 1
  while at <= #body do
    local kind = body:sub(at, at)
    local fields = table.pack(assert(readers[kind], kind)(body, at + 1))
    at = table.remove(fields)
    fields.n = nil
    operations[#operations + 1] = { kind, table.unpack(fields) }
  end
  return operations
end

local function from_hex(hex)
  return (hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end))
end

--- The marker in a data file, read by mdb_dump; nil: there is none.
function journals.marker(path)
  local dump = programs.must("mdb_dump -n -s \"$(printf '\\001jangada')\" '%s'", path)
  local bytes = dump:match("\n ffffffffffffffff6a6f75726e616c\n (%x*)\n")
  if not bytes then return nil end
  bytes = from_hex(bytes)
  local marker = { size = #bytes }
  marker.id, marker.epoch, marker.lsn, marker.tx_id, marker.clean =
    string.unpack(">I8 I8 I8 I8 B", bytes)
  return marker
end

return journals
