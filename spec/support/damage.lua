-- A closed store file to be damaged: finds the pages of a tree, writes bytes into them, checks.
--
--     local file = damage.make(function(tx) ... end, function(tx) ... end)   one commit each
--     local leaf = file:leaf("accounts")
--     file:poke(leaf, file:node(leaf, 0) + 6, "\0\0")
--     local ok, findings = file:check()
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local damage = {}

damage.magic = "\x8aJangada\r\n\x1a\n\xf3\x5c\xb9\x27" -- of a bucket's record
damage.root = "\1jangada"

local File = {}
File.__index = File

local read, write = fresh.read_file, fresh.write_file

--- The file at a path, remembered as it is now.
function damage.of(path)
  local page = store.page(path, 0)
  return setmetatable({ path = path, original = read(path), page_size = page and page.size }, File)
end

--- A file made by functions that each write in a transaction of their own.
function damage.make(...)
  local db, path = fresh.open()
  for i = 1, select("#", ...) do db:update((select(i, ...))) end
  db:close()
  return damage.of(path)
end

--- As it was before all damage.
function File:restore()
  write(self.path, self.original)
  return self
end

function File:write(bytes)
  write(self.path, bytes)
  return self
end

--- Overwrites bytes of a page, from `offset` on, counted from 0.
function File:poke(page, offset, bytes)
  local f <close> = assert(io.open(self.path, "r+b"))
  f:seek("set", page * self.page_size + offset)
  f:write(bytes)
  return self
end

--- The bytes of a page from `offset` on.
function File:peek(page, offset, size)
  return store.page(self.path, page).bytes:sub(offset + 1, offset + size)
end

--- The meta page that counts: 0 or 1.
function File:meta()
  return store.page(self.path, 1).tx_id > store.page(self.path, 0).tx_id and 1 or 0
end

--- The numbers of a tree's pages of one kind, ascending. `owner`: a tree's name, "main" or
--- "free list".
function File:pages_of(owner, kind)
  local numbers = {}
  for _, row in ipairs(store.pages(self.path)) do
    local name = row.tree or row.owner
    if row.kind == kind and (not owner or name == owner) then numbers[#numbers + 1] = row.number end
  end
  return numbers
end

--- The first leaf of a tree.
function File:leaf(owner)
  return self:pages_of(owner, "leaf")[1]
end

--- Where node `i` (from 0) of a page begins.
function File:node(page, i)
  return (string.unpack("=I2", self:peek(page, 16 + 2 * i, 2)))
end

--- Where `text` stands in a page, and the page: the first of the tree's leaves that has it in a
--- node that is in use.
function File:find(owner, text)
  for _, number in ipairs(self:pages_of(owner, "leaf")) do
    local page = store.page(self.path, number)
    local at = page.bytes:find(text, page.upper + 1, true)
    if at then return number, at - 1 end
  end
  error(("%q is not in %s"):format(text, owner))
end

--- store.check of the file as it is now.
function File:check(options)
  return store.check(self.path, options)
end

return damage
