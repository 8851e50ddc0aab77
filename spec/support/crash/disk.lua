-- What a disk may hold after a crash. A Disk follows a trace of the recorder and knows, of each
-- change of a file or of the directory, whether it was flushed. `image` then gives the files as one
-- of the many crashes possible at this point leaves them: what was flushed is there, each other
-- change is there, or not, or a part of it.
--
--   a write       whole; absent; some of its sectors of 512 bytes; only the size that it gives the
--                 file, with zeros for data; or only its first or last bytes
--   a new size    there or not
--   a name        there or not; a rename is there or not as a whole
--
-- A change counts as flushed once a flush that began after it has succeeded. Bytes that a failed
-- flush was to carry are stuck: no later flush carries them (Linux takes them for clean then), they
-- are there or not until others are flushed over them. A name is carried by the next one.
local SECTOR <const> = 512
local ZEROS <const> = ("\0"):rep(SECTOR)

---@class crash.Change
---@field seq integer
---@field file? crash.File nil: it is of the directory
---@field offset integer of a write; of a new size: the size
---@field data? string
---@field kind "write"|"cut"|"extend"|"names"
---@field names? table[] {name, file or false}
---@field state "pending"|"stuck"|"flushed"

---@class crash.File
---@field name string the last that it was given
---@field sectors string[] the flushed bytes
---@field size integer of them
---@field changes crash.Change[]

---@class crash.Image the bytes of a file
---@field sectors string[]
---@field size integer

---@class crash.Disk
---@field names table<string, crash.File> as the running system sees them
---@field flushed_names table<string, crash.File>
---@field name_changes crash.Change[]
---@field files crash.File[]
local Disk = {}
Disk.__index = Disk

local disk = { SECTOR = SECTOR }

local function new_file(self, name, sectors, size)
  local file = { name = name, sectors = sectors, size = size, changes = {} }
  self.files[#self.files + 1] = file
  return file
end

--- A disk that holds some files, all flushed.
---@param image table<string, crash.Image> by name
---@return crash.Disk
function disk.new(image)
  local self = setmetatable({ names = {}, flushed_names = {}, name_changes = {}, files = {},
    numbers = {}, flushes = {}, seq = 0, last_write = {} }, Disk)
  local files = {}
  for name, content in pairs(image) do
    local file = files[content] or new_file(self, name, content.sectors, content.size)
    files[content], self.names[name], self.flushed_names[name] = file, file, file
  end
  return self
end

--- A copy, for another future.
---@return crash.Disk
function Disk:copy()
  local copies = {}
  local function copy(value)
    if type(value) ~= "table" then return value end
    if not copies[value] then
      local new = {}
      copies[value] = new
      for key, item in pairs(value) do new[copy(key)] = copy(item) end
      setmetatable(new, getmetatable(value))
    end
    return copies[value]
  end
  return copy(self)
end

-- ---- following a trace ------------------------------------------------------------------------

local function add(self, list, change)
  self.seq = self.seq + 1
  change.seq, change.state = self.seq, "pending"
  list[#list + 1] = change
  return change
end

local function change_names(self, names)
  add(self, self.name_changes, { kind = "names", names = names })
  for _, change in ipairs(names) do
    self.names[change[1]] = change[2] or nil
    if change[2] then change[2].name = change[1] end
  end
end

local function write_sectors(sectors, at, data)
  local first, skip = at // SECTOR, at % SECTOR
  for i = #sectors + 1, first do sectors[i] = ZEROS end
  local from, sector = 1, first + 1
  while from <= #data do
    local piece = data:sub(from, from + SECTOR - skip - 1)
    if #piece < SECTOR then
      local old = sectors[sector] or ZEROS
      piece = old:sub(1, skip) .. piece .. old:sub(skip + #piece + 1)
    end
    sectors[sector] = piece
    from, sector, skip = from + SECTOR - skip, sector + 1, 0
  end
end

local function resize(sectors, old_size, size)
  if size < old_size then
    local last = (size + SECTOR - 1) // SECTOR
    for i = #sectors, last + 1, -1 do sectors[i] = nil end
    if size % SECTOR ~= 0 and sectors[last] then
      sectors[last] = sectors[last]:sub(1, size % SECTOR) .. ZEROS:sub(size % SECTOR + 1)
    end
  end
  for i = #sectors + 1, (size + SECTOR - 1) // SECTOR do sectors[i] = ZEROS end
  return size
end

-- Applies a change, or the part of it that `choice` says, to sectors; returns the new size.
local function apply(sectors, size, change, choice)
  local offset, data = change.offset, change.data
  if change.kind == "cut" then return resize(sectors, size, offset) end
  if change.kind == "extend" then
    return offset > size and resize(sectors, size, offset) or size
  end
  if choice == "size" then
    local reach = offset + #data
    return reach > size and resize(sectors, size, reach) or size
  end
  local reach = size
  local function write(from, to) -- bytes of data, from 1
    if from > to then return end
    write_sectors(sectors, offset + from - 1, data:sub(from, to))
    reach = math.max(reach, offset + to)
  end
  if choice == true then
    write(1, #data)
  elseif choice.bytes then
    write(choice.from or 1, choice.to or #data)
  else -- choice[i]: its i-th sector
    local skip = offset % SECTOR
    for i = 1, disk.pieces(change) do
      if choice[i] then write(math.max(1, (i - 1) * SECTOR - skip + 1),
        math.min(#data, i * SECTOR - skip)) end
    end
  end
  return reach
end

--- How many sectors a write touches; 0: the change is no write.
---@param change crash.Change
---@return integer
function disk.pieces(change)
  if change.kind ~= "write" then return 0 end
  return (change.offset + #change.data - 1) // SECTOR - change.offset // SECTOR + 1
end

-- Flushed changes go where nothing can undo them; those behind a stuck one wait in their order.
local function settle(self, file)
  local changes = file and file.changes or self.name_changes
  while changes[1] and changes[1].state == "flushed" do
    local change = table.remove(changes, 1)
    if file then
      file.size = apply(file.sectors, file.size, change, true)
    else
      for _, name in ipairs(change.names) do self.flushed_names[name[1]] = name[2] or nil end
    end
  end
end

local function is_over(change, stuck)
  return change.data and stuck.data and change.offset <= stuck.offset
    and change.offset + #change.data >= stuck.offset + #stuck.data
end

local function flushed(self, changes, failure)
  for _, change in ipairs(changes) do
    if change.state == "pending" and (failure == 0 or change.file) then
      change.state = failure == 0 and "flushed" or "stuck"
    end
    local list = change.file and change.file.changes or self.name_changes
    for i = #list, 1, -1 do
      local stuck = list[i]
      if change.state == "flushed" and stuck.state == "stuck" and stuck.seq < change.seq
        and is_over(change, stuck) then
        table.remove(list, i)
      end
    end
  end
  local files = {}
  for _, change in ipairs(changes) do files[change.file or self] = true end
  for file in pairs(files) do settle(self, file ~= self and file or nil) end
end

local on = {}

function on.o(self, event)
  local file = self.names[event.data]
  if event.token == 1 or not file then
    file = new_file(self, event.data, {}, 0)
    change_names(self, { { event.data, file } })
  end
  self.numbers[event.file] = file
end

local function change_file(kind)
  return function(self, event)
    local file = assert(self.numbers[event.file], "a change of an unknown file")
    self.last_write[file] = add(self, file.changes, { kind = kind, file = file,
      offset = event.offset, data = event.data })
  end
end
on.w, on.t, on.a = change_file("write"), change_file("cut"), change_file("extend")

function on.d(self, event)
  flushed(self, { self.last_write[self.numbers[event.file]] }, event.error)
end

function on.s(self, event)
  local covered = {}
  local list = event.file == 0 and self.name_changes or self.numbers[event.file].changes
  for _, change in ipairs(list) do
    if change.state == "pending" then covered[#covered + 1] = change end
  end
  self.flushes[event.token] = covered
end

function on.S(self, event)
  flushed(self, self.flushes[event.token], event.error)
  self.flushes[event.token] = nil
end

function on.l(self, event)
  local old, new = event.data:match("^(.-)\0(.*)$")
  change_names(self, { { new, assert(self.names[old], "a link from elsewhere") } })
end

function on.r(self, event)
  local old, new = event.data:match("^(.-)\0(.*)$")
  local file = assert(self.names[old], "a rename from elsewhere")
  change_names(self, { { old, false }, { new, file } })
end

function on.u(self, event)
  change_names(self, { { event.data, false } })
end

function on.m() end

--- Takes one event in.
---@param event crash.Event
function Disk:follow(event)
  on[event.kind](self, event)
end

--- Before another trace, whose numbers of files are new. Flushes do not go on.
function Disk:restart()
  self.numbers, self.flushes = {}, {}
end

-- ---- crashes ----------------------------------------------------------------------------------

--- The changes that a crash may lose, in the order in which they were made.
---@return crash.Change[]
function Disk:unflushed()
  local all = {}
  local function gather(changes)
    for _, change in ipairs(changes) do
      if change.state ~= "flushed" then all[#all + 1] = change end
    end
  end
  gather(self.name_changes)
  for _, file in ipairs(self.files) do gather(file.changes) end
  table.sort(all, function(a, b) return a.seq < b.seq end)
  return all
end

local function content_of(file, choices)
  local sectors, size = table.move(file.sectors, 1, #file.sectors, 1, {}), file.size
  for _, change in ipairs(file.changes) do
    local choice = change.state == "flushed" or choices[change]
    if choice then size = apply(sectors, size, change, choice) end
  end
  return { sectors = sectors, size = size }
end

--- The files after a crash.
---@param choices table<crash.Change, any> of what was not flushed: nil: absent; true: whole; "size"
---  alone; {[i] = true}: these sectors; {bytes = true, from=, to=}: these bytes of data, from 1
---@return table<string, crash.Image> by name; links to one file are the same table
function Disk:image(choices)
  local names, contents, files = {}, {}, {}
  for name, file in pairs(self.flushed_names) do names[name] = file end
  for _, change in ipairs(self.name_changes) do
    if change.state == "flushed" or choices[change] then
      for _, name in ipairs(change.names) do names[name[1]] = name[2] or nil end
    end
  end
  for name, file in pairs(names) do
    contents[file] = contents[file] or content_of(file, choices)
    files[name] = contents[file]
  end
  return files
end

--- The files as the running system sees them.
function Disk:whole()
  local all = {}
  for _, change in ipairs(self:unflushed()) do all[change] = true end
  return self:image(all)
end

--- The bytes of a file of an image.
---@param file crash.Image
---@return string
function disk.bytes(file)
  return table.concat(file.sectors):sub(1, file.size)
end

return disk
